"""Waiting for a job's end: told at once, whatever the end is, and only those who asked."""

from __future__ import annotations

import pytest

from rrq.job import JobStatus
from tests.store.driving import Driver, new_job


async def test_a_job_that_has_ended_is_told_at_once(driver: Driver) -> None:
    await driver.settle(await driver.running("a"), "complete")
    assert await driver.store.jobs.await_end("a", "client") is JobStatus.COMPLETED
    assert await driver.redis.exists(driver.keys.waiters("a")) == 0
    assert "waited" not in await driver.hash("a")


async def test_there_is_nothing_to_wait_for_if_there_is_no_job(driver: Driver) -> None:
    assert await driver.store.jobs.await_end("nothing", "client") is None
    assert await driver.all_keys() == set()


@pytest.mark.parametrize("kind", ["complete", "fail", "cancel"])
async def test_everybody_who_asked_is_told_of_the_end_once(driver: Driver, kind: str) -> None:
    claim = await driver.running("a b")
    for _ in range(2):
        assert await driver.store.jobs.await_end("a b", "client:1") is JobStatus.ACTIVE
    await driver.store.jobs.await_end("a b", "client:2")
    await driver.settle(claim, kind, "1")  # type: ignore[arg-type]
    assert await driver.mail("client:1") == ["done a b"]
    assert await driver.mail("client:2") == ["done a b"]
    assert await driver.redis.exists(driver.keys.waiters("a b")) == 0


async def test_an_end_by_cancel_reap_or_loss_is_told_too(driver: Driver) -> None:
    await driver.enqueue("cancelled")
    await driver.store.jobs.await_end("cancelled", "client")
    await driver.store.jobs.cancel("cancelled")
    assert await driver.mail("client") == ["done cancelled"]

    await driver.running("reaped")
    await driver.store.jobs.await_end("reaped", "client")
    await driver.redis.hset(driver.keys.job("reaped"), "lost_count", "9")
    await driver.expire_lease("reaped")
    await driver.store.leases.reap()
    assert await driver.mail("client") == ["done reaped"]


@pytest.mark.parametrize("kind", ["retry", "release", "lost"])
async def test_a_job_that_runs_again_has_not_ended(driver: Driver, kind: str) -> None:
    claim = await driver.running("a")
    await driver.store.jobs.await_end("a", "client")
    await driver.settle(claim, kind, "x")  # type: ignore[arg-type]
    assert await driver.mail("client") == []
    [claim] = await driver.claim()
    await driver.settle(claim, "complete")
    assert await driver.mail("client") == ["done a"]


async def test_the_wish_outlives_a_new_definition_of_the_job(driver: Driver) -> None:
    await driver.enqueue("a", delay_ms=60_000)
    await driver.store.jobs.await_end("a", "client")
    await driver.store.jobs.enqueue([new_job("a")])
    [claim] = await driver.claim()
    await driver.settle(claim, "complete")
    assert await driver.mail("client") == ["done a"]


async def test_the_wish_of_a_client_that_went_away_expires(driver: Driver) -> None:
    await driver.enqueue("a")
    await driver.store.jobs.await_end("a", "client")
    assert 0 < await driver.redis.ttl(driver.keys.waiters("a")) <= 60
