"""Pausing a queue: what it keeps back, what it leaves alone, and who is woken when it ends."""

from __future__ import annotations

import pytest

from tests.store.driving import WORKER, Driver


async def _claimed(driver: Driver, *queues: str, worker: str = WORKER) -> list[str]:
    return [claim.job_id for claim in await driver.claim(worker, queues or ("default",))]


async def test_no_job_of_a_paused_queue_is_claimed(driver: Driver) -> None:
    await driver.enqueue("a")
    await driver.enqueue("b", queue="other")
    assert await driver.store.queues.pause("default")
    assert await _claimed(driver, "default", "other") == ["b"]
    assert await driver.waiting() == ["a"]
    assert await driver.status("a") == "PENDING"


async def test_a_resumed_queue_is_claimed_from_as_before(driver: Driver) -> None:
    await driver.store.queues.pause("default")
    await driver.enqueue("a")
    assert await driver.store.queues.resume("default")
    assert await _claimed(driver) == ["a"]


@pytest.mark.parametrize("name", ["mail", "rrq:queue:mail"])
async def test_a_queue_is_paused_by_its_bare_or_its_full_name(driver: Driver, name: str) -> None:
    await driver.enqueue("a", queue="mail")
    await driver.store.queues.pause(name)
    assert await driver.store.queues.paused() == {"mail"}
    assert await _claimed(driver, "mail") == []
    await driver.store.queues.resume(name)
    assert await _claimed(driver, "mail") == ["a"]


async def test_pausing_and_resuming_say_whether_that_changed_anything(driver: Driver) -> None:
    queues = driver.store.queues
    assert [await queues.pause("mail"), await queues.pause("mail")] == [True, False]
    assert [await queues.resume("mail"), await queues.resume("mail")] == [True, False]


async def test_a_job_that_runs_when_its_queue_is_paused_ends_as_ever(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.store.queues.pause("default")
    assert await driver.settle(claim, "complete") == "complete"
    assert await driver.status("a") == "COMPLETED"


async def test_a_failed_attempt_of_a_paused_queue_waits_there(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.store.queues.pause("default")
    await driver.settle(claim, "retry", "no luck")
    assert await _claimed(driver) == []
    await driver.store.queues.resume("default")
    assert await _claimed(driver) == ["a"]


async def test_a_job_that_waits_in_a_paused_queue_can_be_cancelled(driver: Driver) -> None:
    await driver.enqueue("a")
    await driver.store.queues.pause("default")
    assert await driver.store.jobs.cancel("a") == "cancelled"


async def test_nobody_waits_for_what_is_due_in_a_paused_queue(driver: Driver) -> None:
    await driver.enqueue("a")
    await driver.enqueue("b", queue="other", delay_ms=60_000)
    await driver.store.queues.pause("default")

    called = await driver.claim_call(queues=["default", "other"])

    later_ms = await driver.due_ms("b", "other")
    assert called.next_due_ms == later_ms
    assert await driver.store.queues.head_due_ms(["default", "other"]) == later_ms
    assert await driver.store.queues.head_due_ms(["default"]) is None


async def test_a_claim_that_finds_work_wakes_nobody_for_a_paused_queue(driver: Driver) -> None:
    assert await _claimed(driver, worker="w1") == []
    await driver.store.queues.pause("default")
    await driver.redis.hset(driver.keys.job("a"), "function_name", "f")
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    await driver.enqueue("b", queue="other")

    assert await _claimed(driver, "default", "other", worker="w2") == ["b"]

    assert await driver.mail("w1") == []


async def test_resuming_wakes_a_parked_worker_for_each_due_job(driver: Driver) -> None:
    await driver.store.queues.pause("default")
    for number in range(3):
        await driver.enqueue(f"job-{number}")
    workers = [f"w{number}" for number in range(6)]
    for worker in workers:
        assert await _claimed(driver, worker=worker) == []

    await driver.store.queues.resume("default")

    woken = [worker for worker in workers if await driver.mail(worker) == ["wake"]]
    # One more than there are jobs, who learns when the next one is due.
    assert len(woken) == 4
    assert await _claimed(driver, worker=woken[0]) == ["job-0", "job-1", "job-2"]


async def test_resuming_wakes_no_more_than_are_parked(driver: Driver) -> None:
    await driver.store.queues.pause("default")
    for _ in range(5):
        await driver.enqueue()
    assert await _claimed(driver) == []
    await driver.store.queues.resume("default")
    assert await driver.mail(WORKER) == ["wake"]
    assert await driver.parked() == []


async def test_a_parked_worker_learns_when_a_resumed_queue_is_due_next(driver: Driver) -> None:
    await driver.store.queues.pause("default")
    await driver.enqueue("a", delay_ms=60_000)
    assert (await driver.claim_call()).next_due_ms is None
    await driver.store.queues.resume("default")
    assert await driver.mail(WORKER) == ["wake"]
    assert (await driver.claim_call()).next_due_ms == await driver.due_ms("a")


async def test_resuming_a_queue_that_was_not_paused_wakes_nobody(driver: Driver) -> None:
    assert await _claimed(driver) == []
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    assert not await driver.store.queues.resume("default")
    assert await driver.mail(WORKER) == []


async def test_a_queue_is_described_as_paused(driver: Driver) -> None:
    await driver.enqueue("a", queue="mail")
    await driver.enqueue("b", queue="other")
    await driver.store.queues.pause("mail")
    described = await driver.store.queues.describe(["mail", "other"])
    assert [(size.name, size.is_paused) for size in described] == [("mail", True), ("other", False)]
