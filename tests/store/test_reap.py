"""Reaping: jobs of workers that are gone run again, and their old owners cannot touch them."""

from __future__ import annotations

import json

import pytest

from rrq.settings import RRQSettings
from tests.store.driving import OTHER_WORKER, WORKER, Driver


async def test_a_job_whose_lease_ran_out_is_back_in_its_own_queue_at_once(driver: Driver) -> None:
    await driver.running("a", queue="urgent")
    await driver.expire_lease("a")
    [reaped] = await driver.store.leases.reap()
    assert (reaped.job_id, reaped.became, reaped.worker_id) == ("a", "queued", WORKER)
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.current_retries, job.lost_count) == ("PENDING", 0, 1)
    assert (await driver.waiting("urgent"), await driver.leased()) == (["a"], [])
    assert await driver.due_ms("a", "urgent") == pytest.approx(await driver.now_ms(), abs=2000)
    [claim] = await driver.claim(OTHER_WORKER, ["urgent"])
    assert claim.attempt == 1


async def test_a_lease_that_stands_is_not_reaped(driver: Driver) -> None:
    await driver.running("a")
    assert await driver.store.leases.reap() == []
    assert await driver.leased() == ["a"]


async def test_two_reapers_requeue_a_job_once(driver: Driver) -> None:
    await driver.running("a")
    await driver.expire_lease("a")
    assert len(await driver.store.leases.reap()) == 1
    assert await driver.store.leases.reap() == []
    assert (await driver.hash("a"))["lost_count"] == "1"


async def test_one_call_reaps_no_more_than_it_may(driver: Driver) -> None:
    for number in range(5):
        await driver.running(str(number))
        await driver.expire_lease(str(number))
    assert [len(await driver.store.leases.reap(2)) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize("kind", ["complete", "retry", "fail", "cancel", "release", "lost"])
@pytest.mark.parametrize("claimed_again", [False, True])
async def test_the_late_outcome_of_a_reaped_lease_is_refused(
    driver: Driver, kind: str, claimed_again: bool
) -> None:
    claim = await driver.running("a")
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    if claimed_again:
        await driver.claim(OTHER_WORKER)
    before = (await driver.hash("a"), await driver.waiting(), await driver.leased())
    assert await driver.settle(claim, kind, "late") == "stale"  # type: ignore[arg-type]
    assert (await driver.hash("a"), await driver.waiting(), await driver.leased()) == before
    assert await driver.dead() == []


async def test_the_history_tells_of_the_loss(driver: Driver) -> None:
    await driver.running("a")
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    [entry] = json.loads((await driver.hash("a"))["attempts"])
    assert (entry["outcome"], entry["worker"]) == ("lost", WORKER)
    assert entry["error"] == f"the lease of worker {WORKER} ran out"


async def test_a_job_comes_back_at_once_each_time_and_lost_too_often_is_dead_lettered(
    settings: RRQSettings,
) -> None:
    driver = Driver(settings.model_copy(update={"max_lost": 2}))
    await driver.enqueue("a", unique_key="k")
    became = []
    for _ in range(3):
        await driver.claim()
        await driver.expire_lease("a")
        became += [reaped.became for reaped in await driver.store.leases.reap()]
    assert became == ["queued", "queued", "dead"]
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.current_retries, job.lost_count) == ("FAILED", 0, 3)
    assert job.last_error == (
        f"Job was lost 3 times while it ran, last: the lease of worker {WORKER} ran out"
    )
    assert (await driver.dead(), await driver.waiting()) == (["a"], [])
    assert 604_700 < await driver.ttl_seconds("a") <= 604_800
    assert await driver.holder("k") is None
    await driver.store.aclose()


async def test_a_job_that_was_to_be_cancelled_is_cancelled_instead_of_run_again(
    driver: Driver,
) -> None:
    await driver.running("a", unique_key="k")
    await driver.store.jobs.cancel("a")
    await driver.expire_lease("a")
    [reaped] = await driver.store.leases.reap()
    assert reaped.became == "cancelled"
    assert (await driver.status("a"), await driver.waiting()) == ("CANCELLED", [])
    assert 90 < await driver.ttl_seconds("a") <= 100
    assert await driver.holder("k") is None


async def test_a_reaped_job_keeps_its_unique_key(driver: Driver) -> None:
    await driver.running("a", unique_key="k")
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    assert await driver.holder("k") == "a"


async def test_leases_of_jobs_that_are_gone_are_swept_away(driver: Driver) -> None:
    for job_id in ("deleted", "broken", "kept"):
        await driver.running(job_id)
        await driver.expire_lease(job_id)
    await driver.redis.delete(driver.keys.job("deleted"))
    await driver.redis.set(driver.keys.job("broken"), "no hash")
    became = {reaped.job_id: reaped.became for reaped in await driver.store.leases.reap()}
    assert became == {"deleted": "gone", "broken": "gone", "kept": "queued"}
    assert (await driver.leased(), await driver.waiting()) == ([], ["kept"])


async def test_a_foreign_job_without_a_queue_name_goes_back_to_where_it_was_claimed(
    driver: Driver,
) -> None:
    await driver.redis.hset(driver.keys.job("a"), "function_name", "f")
    await driver.redis.zadd(driver.keys.queue("odd"), {"a": 1})
    await driver.claim(queues=["odd"])
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    assert await driver.waiting("odd") == ["a"]


async def test_a_reaped_job_has_no_ttl(driver: Driver) -> None:
    await driver.running("a")
    await driver.redis.expire(driver.keys.job("a"), 50)
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    assert await driver.ttl_seconds("a") == -1
