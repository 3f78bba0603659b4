"""Parking and waking: who is told that a job is due, and who is not."""

from __future__ import annotations

import pytest

from tests.store.driving import OTHER_WORKER, WORKER, Driver, new_job


async def _park(driver: Driver, *workers: str, queue: str = "default") -> None:
    for worker in workers:
        assert await driver.claim(worker, [queue]) == []


async def _mail(driver: Driver, *workers: str) -> list[list[str]]:
    return [await driver.mail(worker) for worker in workers]


async def test_a_claim_that_finds_nothing_parks_the_worker_on_all_its_queues(
    driver: Driver,
) -> None:
    called = await driver.claim_call(queues=["a", "b"])
    for queue in ("a", "b"):
        expiry = await driver.redis.zscore(driver.keys.idle(queue), WORKER)
        assert expiry == pytest.approx(called.now_ms + 10_000, abs=0.01)
        assert 9000 < await driver.redis.pttl(driver.keys.idle(queue)) <= 10_000


async def test_enqueue_wakes_exactly_one_parked_worker(driver: Driver) -> None:
    await _park(driver, "w1", "w2", "w3")
    await driver.enqueue()
    letters = await _mail(driver, "w1", "w2", "w3")
    assert sorted(letters) == [[], [], ["wake"]]
    assert len(await driver.parked()) == 2


async def test_the_worker_that_parked_last_is_woken_first(driver: Driver) -> None:
    await _park(driver, "w1", "w2", "w3")
    await driver.enqueue()
    assert await driver.mail("w3") == ["wake"]


async def test_a_worker_of_another_queue_is_not_woken(driver: Driver) -> None:
    await _park(driver, WORKER, queue="other")
    await driver.enqueue()
    assert await driver.mail(WORKER) == []
    assert await driver.parked("other") == [WORKER]


async def test_several_jobs_of_one_call_wake_several_workers(driver: Driver) -> None:
    await _park(driver, "w1", "w2", "w3")
    await driver.store.jobs.enqueue([new_job(), new_job()])
    assert sorted(await _mail(driver, "w1", "w2", "w3")) == [[], ["wake"], ["wake"]]


async def test_a_claim_that_finds_work_unparks_the_worker_from_all_its_queues(
    driver: Driver,
) -> None:
    assert await driver.claim(queues=["a", "b"]) == []
    await driver.enqueue(queue="a")
    await driver.claim(queues=["a", "b"])
    assert await driver.parked("b") == []
    await driver.mail(WORKER)
    await driver.enqueue(queue="b")
    assert await driver.mail(WORKER) == []


async def test_a_claim_that_leaves_due_jobs_behind_wakes_the_next_worker(driver: Driver) -> None:
    await _park(driver, "w1", "w2")
    await driver.redis.hset(driver.keys.job("a"), "function_name", "f")
    await driver.redis.hset(driver.keys.job("b"), "function_name", "f")
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1, "b": 2})
    assert len(await driver.claim("w3", room=1)) == 1
    assert sorted(await _mail(driver, "w1", "w2", "w3")) == [[], [], ["wake"]]


async def test_a_claim_that_takes_the_last_due_job_wakes_nobody(driver: Driver) -> None:
    await _park(driver, "w1")
    await driver.enqueue(delay_ms=60_000)
    await driver.mail("w1")
    await _park(driver, "w1")
    await driver.redis.hset(driver.keys.job("a"), "function_name", "f")
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    assert len(await driver.claim("w2")) == 1
    assert await driver.mail("w1") == []


async def test_a_burst_spreads_from_worker_to_worker(driver: Driver) -> None:
    workers = ["w1", "w2", "w3", "w4"]
    await _park(driver, *workers)
    for number in range(8):
        await driver.redis.hset(driver.keys.job(f"j{number}"), "function_name", "f")
        await driver.redis.zadd(driver.keys.queue("default"), {f"j{number}": number + 1})
    await driver.enqueue("last")
    claimed = []
    while awake := [worker for worker in workers if await driver.mail(worker)]:
        for worker in awake:
            claimed.append([claim.job_id for claim in await driver.claim(worker, room=3)])
    assert [len(jobs) for jobs in claimed] == [3, 3, 3]


async def test_a_job_for_later_wakes_nobody_if_another_is_due_before(driver: Driver) -> None:
    await driver.enqueue(delay_ms=50_000)
    await _park(driver, WORKER)
    await driver.enqueue(delay_ms=60_000)
    assert await driver.mail(WORKER) == []


async def test_a_deferred_job_that_is_due_before_all_others_wakes_a_parked_worker(
    driver: Driver,
) -> None:
    await driver.enqueue(delay_ms=60_000)
    await _park(driver, WORKER)
    await driver.enqueue("sooner", delay_ms=50_000)
    assert await driver.mail(WORKER) == ["wake"]
    called = await driver.claim_call()
    assert called.next_due_ms == await driver.due_ms("sooner")


async def test_deferred_jobs_of_one_call_wake_one_worker_if_one_of_them_is_the_next(
    driver: Driver,
) -> None:
    await _park(driver, "w1", "w2", "w3")
    await driver.store.jobs.enqueue([new_job(delay_ms=60_000), new_job(delay_ms=50_000)])
    assert sorted(await _mail(driver, "w1", "w2", "w3")) == [[], [], ["wake"]]
    await driver.store.jobs.enqueue([new_job(delay_ms=60_000), new_job(delay_ms=70_000)])
    assert await _mail(driver, "w1", "w2", "w3") == [[], [], []]


async def test_a_worker_that_parked_and_died_is_passed_over_once_its_entry_has_expired(
    driver: Driver,
) -> None:
    now_ms = await driver.now_ms()
    idle = driver.keys.idle("default")
    await driver.redis.zadd(idle, {"dead": now_ms - 1})
    await driver.enqueue()
    assert await driver.mail("dead") == []
    assert await driver.redis.exists(idle) == 0

    await driver.redis.zadd(idle, {"dead": now_ms - 1, "alive": now_ms + 5000})
    await driver.enqueue()
    assert await _mail(driver, "dead", "alive") == [[], ["wake"]]


async def test_a_message_that_nobody_reads_expires(driver: Driver) -> None:
    await _park(driver, WORKER)
    await driver.enqueue()
    assert 0 < await driver.redis.ttl(driver.keys.mailbox(WORKER)) <= 60


@pytest.mark.parametrize("how", ["retry", "release", "lost"])
async def test_a_job_that_is_queued_again_wakes_a_parked_worker(driver: Driver, how: str) -> None:
    claim = await driver.running()
    await _park(driver, OTHER_WORKER)
    await driver.settle(claim, how)  # type: ignore[arg-type]
    assert await driver.mail(OTHER_WORKER) == ["wake"]


async def test_a_reaped_job_wakes_a_parked_worker(driver: Driver) -> None:
    claim = await driver.running()
    await _park(driver, OTHER_WORKER)
    await driver.expire_lease(claim.job_id)
    await driver.store.leases.reap()
    assert await driver.mail(OTHER_WORKER) == ["wake"]


async def test_a_job_whose_unique_key_becomes_free_wakes_a_parked_worker(driver: Driver) -> None:
    claim = await driver.running(unique_key="k")
    await driver.enqueue("b", queue="other", unique_key="k", on_conflict="defer")
    await _park(driver, OTHER_WORKER, queue="other")
    await driver.settle(claim, "complete")
    assert await driver.mail(OTHER_WORKER) == ["wake"]
    assert [claim.job_id for claim in await driver.claim(OTHER_WORKER, ["other"])] == ["b"]


async def test_a_worker_that_leaves_is_woken_no_more(driver: Driver) -> None:
    await _park(driver, WORKER)
    await driver.store.workers.leave(WORKER, ["default"])
    await driver.enqueue()
    assert await driver.mail(WORKER) == []
