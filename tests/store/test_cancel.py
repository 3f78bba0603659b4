"""Cancelling: a waiting job ends at once, a running one is asked to, an ended one stays."""

from __future__ import annotations

import pytest

from tests.store.driving import WORKER, Driver


@pytest.mark.parametrize("named", ["urgent", "rrq:queue:urgent"])
async def test_a_waiting_job_ends_at_once(driver: Driver, named: str) -> None:
    await driver.enqueue("a", queue="urgent", queue_name=named, unique_key="k", delay_ms=5000)
    assert await driver.store.jobs.cancel("a") == "cancelled"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.last_error) == ("CANCELLED", None)
    assert job.completion_time is not None
    assert (await driver.waiting("urgent"), await driver.holder("k")) == ([], None)
    assert 90 < await driver.ttl_seconds("a") <= 100


async def test_a_job_between_two_attempts_can_be_cancelled(driver: Driver) -> None:
    await driver.settle(await driver.running("a"), "retry", "boom")
    assert await driver.store.jobs.cancel("a") == "cancelled"
    assert (await driver.waiting(), await driver.status("a")) == ([], "CANCELLED")
    assert (await driver.hash("a"))["last_error"] == "boom"


async def test_the_worker_of_a_running_job_is_told_with_the_token(driver: Driver) -> None:
    claim = await driver.running("a b")
    assert await driver.store.jobs.cancel("a b") == "requested"
    assert await driver.mail(WORKER) == [f"cancel {claim.token} a b"]
    job = await driver.hash("a b")
    assert job["status"] == "ACTIVE"
    assert job["cancel_requested"].endswith("Z")
    assert await driver.leased() == ["a b"]


async def test_an_expired_lease_that_nobody_reaped_still_runs(driver: Driver) -> None:
    await driver.running("a")
    await driver.expire_lease("a")
    assert await driver.store.jobs.cancel("a") == "requested"


@pytest.mark.parametrize(
    ("kind", "status"), [("complete", "COMPLETED"), ("fail", "FAILED"), ("cancel", "CANCELLED")]
)
async def test_a_job_that_has_ended_stays_as_it_is(driver: Driver, kind: str, status: str) -> None:
    await driver.settle(await driver.running("a"), kind, "1")  # type: ignore[arg-type]
    before = await driver.hash("a")
    assert await driver.store.jobs.cancel("a") == status
    assert await driver.hash("a") == before


async def test_an_id_that_is_no_job_is_missing_and_stays_so(driver: Driver) -> None:
    assert await driver.store.jobs.cancel("nothing") == "missing"
    assert await driver.all_keys() == set()


async def test_the_late_verdict_of_a_cancelled_waiting_job_is_no_new_end(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.settle(claim, "release")
    await driver.store.jobs.cancel("a")
    assert await driver.settle(claim, "complete") == "repeated"
    assert await driver.status("a") == "CANCELLED"


async def test_a_foreign_job_in_another_queue_than_it_says_is_cancelled_all_the_same(
    driver: Driver,
) -> None:
    await driver.redis.hset(
        driver.keys.job("a"),
        mapping={"function_name": "f", "status": "PENDING", "queue_name": "here"},
    )
    await driver.redis.zadd(driver.keys.queue("there"), {"a": 1})
    assert await driver.store.jobs.cancel("a") == "cancelled"
    assert await driver.claim(queues=["here", "there"]) == []
    assert await driver.status("a") == "CANCELLED"


async def test_a_foreign_job_without_a_status_can_be_cancelled(driver: Driver) -> None:
    await driver.redis.hset(driver.keys.job("a"), "function_name", "f")
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    assert await driver.store.jobs.cancel("a") == "cancelled"
    assert await driver.waiting() == []
