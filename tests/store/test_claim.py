"""What a claim takes, in which order, how much of it, and what it makes of ids that are no jobs."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from rrq.settings import RRQSettings
from rrq.store.leases import MAX_CLAIM_BYTES
from rrq.store.store import JobStore
from tests.store.driving import OTHER_WORKER, WORKER, Driver, new_job


async def test_a_claimed_job_leaves_its_queue_with_a_lease_in_its_hash(driver: Driver) -> None:
    answer = await driver.enqueue(job_args='[1, "ü"]', job_kwargs='{"a": [2]}')
    called = await driver.claim_call()
    [claim] = called.claims
    job = await driver.hash(answer.job_id)
    assert (await driver.waiting(), await driver.leased()) == ([], [answer.job_id])
    assert (job["status"], job["worker_id"]) == ("ACTIVE", WORKER)
    assert job["lease_token"] == str(claim.token)
    assert job["start_time"] == claim.started
    assert datetime.fromisoformat(claim.started).timestamp() * 1000 == pytest.approx(
        called.now_ms, abs=0.01
    )
    expiry = await driver.redis.zscore(driver.keys.leases, answer.job_id)
    assert expiry == pytest.approx(called.now_ms + 10_000, abs=0.01)


async def test_a_claim_carries_all_that_execution_needs(driver: Driver) -> None:
    await driver.enqueue(
        "a",
        queue="urgent",
        queue_name="rrq:queue:urgent",
        job_args='[1, "ü"]',
        job_kwargs='{"a": [2]}',
        trace_context='{"t": "1"}',
        max_retries=7,
        job_timeout_seconds=9,
    )
    [claim] = await driver.claim(queues=["urgent"])
    assert (claim.job_id, claim.function_name, claim.defect) == ("a", "greet", None)
    assert (bytes(claim.args), bytes(claim.kwargs)) == ('[1, "ü"]'.encode(), b'{"a": [2]}')
    assert bytes(claim.trace_context) == b'{"t": "1"}'
    assert (claim.queue, claim.queue_name) == ("urgent", "rrq:queue:urgent")
    assert (claim.attempt, claim.max_retries, claim.timeout_seconds) == (1, 7, 9)
    assert claim.enqueue_time == (await driver.hash("a"))["enqueue_time"]
    assert claim.due_ms == pytest.approx(claim.claimed_ms, abs=5000)


@pytest.mark.parametrize(
    ("max_lost", "lost_count", "alone"),
    [
        (2, "", False),
        (2, "1", False),
        (2, "2", True),
        (2, "7", True),
        (1, "1", True),
        (0, "", False),
        (0, "0", False),
        (0, "1", True),
        (2, "many", False),
        (2, "nan", False),
    ],
)
async def test_a_job_that_the_next_loss_would_dead_letter_runs_alone(
    settings: RRQSettings, max_lost: int, lost_count: str, alone: bool
) -> None:
    driver = Driver(settings.model_copy(update={"max_lost": max_lost}))
    claim = await driver.running("a", **({"lost_count": lost_count} if lost_count else {}))
    assert (claim.runs_alone, claim.defect) == (alone, None)
    await driver.store.aclose()


async def test_jobs_come_in_the_order_in_which_they_were_enqueued(driver: Driver) -> None:
    ids = [(await driver.enqueue()).job_id for _ in range(100)]
    claimed = []
    while claims := await driver.claim(room=7):
        claimed += [claim.job_id for claim in claims]
    assert claimed == ids


async def test_the_queue_named_first_is_emptied_first(driver: Driver) -> None:
    for queue in ("low", "high"):
        for number in range(3):
            await driver.enqueue(f"{queue}{number}", queue=queue)
    claims = await driver.claim(queues=["high", "low"], room=4)
    assert [claim.job_id for claim in claims] == ["high0", "high1", "high2", "low0"]
    assert {claim.queue for claim in claims} == {"high", "low"}


async def test_a_claim_brings_no_more_than_there_is_room_for(driver: Driver) -> None:
    await driver.store.jobs.enqueue([new_job() for _ in range(5)])
    assert len(await driver.claim(room=3)) == 3
    assert await driver.claim(room=0) == []
    assert len(await driver.claim(room=3)) == 2


async def test_big_jobs_come_in_several_claims_the_biggest_alone(driver: Driver) -> None:
    sizes = (MAX_CLAIM_BYTES // 2, MAX_CLAIM_BYTES // 2 + 100, 100, MAX_CLAIM_BYTES + 100, 100)
    for number, size in enumerate(sizes):
        await driver.enqueue(str(number), job_args='["' + "x" * (size - 10) + '"]')
    claimed = []
    while claims := await driver.claim():
        claimed.append([claim.job_id for claim in claims])
    assert claimed == [["0"], ["1", "2"], ["3"], ["4"]]


async def test_a_job_that_is_not_due_waits(driver: Driver) -> None:
    answer = await driver.enqueue(delay_ms=60_000)
    called = await driver.claim_call()
    assert called.claims == []
    assert answer.due_at is not None
    assert called.next_due_ms == pytest.approx(answer.due_at.timestamp() * 1000, abs=0.01)


async def test_a_claim_tells_when_the_next_job_of_all_its_queues_is_due(driver: Driver) -> None:
    assert (await driver.claim_call()).next_due_ms is None
    await driver.enqueue(queue="b", at_ms=9_000_000_000_000)
    await driver.enqueue(queue="a", at_ms=9_500_000_000_000)
    await driver.enqueue(queue="a")
    called = await driver.claim_call(queues=["a", "b"], room=5)
    assert (len(called.claims), called.next_due_ms) == (1, 9_000_000_000_000)


async def test_every_lease_has_a_greater_token_than_all_before(driver: Driver) -> None:
    tokens: list[int] = []
    for worker in (WORKER, OTHER_WORKER, WORKER):
        await driver.store.jobs.enqueue([new_job() for _ in range(4)])
        tokens += [claim.token for claim in await driver.claim(worker, room=9)]
    assert tokens == sorted(set(tokens))
    await driver.redis.script_flush()
    assert (await driver.running()).token > tokens[-1]


async def test_a_claimed_job_has_no_ttl(driver: Driver) -> None:
    await driver.enqueue("a")
    await driver.redis.expire(driver.keys.job("a"), 50)
    await driver.claim()
    assert await driver.ttl_seconds("a") == -1


async def test_a_claim_extends_a_unique_key_that_would_end_before_the_lease(
    driver: Driver,
) -> None:
    await driver.enqueue("a", unique_key="k", unique_ttl_ms=1000)
    await driver.claim()
    assert 8 <= await driver.store.get_lock_ttl("k") <= 10


@pytest.mark.parametrize("unique_ttl_seconds", [1, 100])
async def test_a_claim_takes_a_unique_key_whose_time_was_over(
    driver: Driver, unique_ttl_seconds: int
) -> None:
    driver = Driver(
        driver.settings.model_copy(
            update={"default_unique_job_lock_ttl_seconds": unique_ttl_seconds}
        )
    )
    await driver.enqueue("a", unique_key="k")
    await driver.redis.delete(driver.keys.unique("k"))
    await driver.claim()
    assert await driver.holder("k") == "a"
    assert await driver.store.get_lock_ttl("k") == max(unique_ttl_seconds, 10)
    await driver.store.aclose()


# -- ids that are no jobs -------------------------------------------------------------------


async def test_an_id_that_is_queued_before_its_hash_runs_when_the_hash_is_there(
    driver: Driver,
) -> None:
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    called = await driver.claim_call()
    assert (called.claims, called.dropped) == ([], [])
    assert called.next_due_ms == pytest.approx(called.now_ms + 100, abs=0.01)
    await driver.redis.hset(driver.keys.job("a"), mapping={"function_name": "f"})
    await driver.make_due("a")
    assert [claim.job_id for claim in await driver.claim()] == ["a"]


async def test_an_id_without_a_hash_is_dropped_after_five_seconds(driver: Driver) -> None:
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    for seconds_ago, expected in ((0, []), (4, []), (6, ["a"])):
        await driver.redis.zadd(
            driver.keys.unborn, {"a": await driver.now_ms() - seconds_ago * 1000}, xx=True
        )
        await driver.make_due("a")
        assert (await driver.claim_call()).dropped == expected
    assert await driver.waiting() == []
    assert await driver.redis.exists(driver.keys.unborn) == 0


async def test_an_id_that_had_no_hash_long_ago_is_given_its_five_seconds_again(
    driver: Driver,
) -> None:
    now_ms = await driver.now_ms()
    queue = driver.keys.queue("default")
    await driver.redis.zadd(driver.keys.unborn, {"old": now_ms - 70_000})
    await driver.redis.zadd(queue, {"a": 1})
    await driver.claim()
    await driver.redis.zadd(queue, {"old": 1})
    called = await driver.claim_call()
    assert (called.dropped, sorted(await driver.waiting())) == ([], ["a", "old"])
    assert 0 < await driver.redis.pttl(driver.keys.unborn) <= 60_000


async def test_an_id_that_names_no_hash_is_dropped_and_its_key_left_alone(driver: Driver) -> None:
    await driver.redis.set(driver.keys.job("a"), "text")
    await driver.redis.rpush(driver.keys.job("b"), "list")
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1, "b": 2})
    await driver.enqueue("c")
    called = await driver.claim_call()
    assert [claim.job_id for claim in called.claims] == ["c"]
    assert called.dropped == ["a", "b"]
    assert await driver.redis.get(driver.keys.job("a")) == b"text"


@pytest.mark.parametrize("status", ["CANCELLED", "COMPLETED", "FAILED"])
async def test_an_id_of_a_job_that_has_ended_is_skipped(driver: Driver, status: str) -> None:
    await driver.redis.hset(driver.keys.job("a"), mapping={"function_name": "f", "status": status})
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    assert await driver.claim() == []
    assert (await driver.waiting(), await driver.leased()) == ([], [])
    assert await driver.status("a") == status


async def test_ids_that_may_not_run_do_not_hide_the_jobs_behind_them(driver: Driver) -> None:
    queue = driver.keys.queue("default")
    await driver.redis.zadd(queue, {f"nothing{number}": number + 1 for number in range(30)})
    await driver.enqueue("a")
    assert [claim.job_id for claim in await driver.claim(room=5)] == ["a"]


async def test_a_claim_that_meets_too_many_ids_that_may_not_run_says_that_more_is_due(
    driver: Driver,
) -> None:
    queue = driver.keys.queue("default")
    await driver.redis.zadd(queue, {f"nothing{number:03}": number + 1 for number in range(300)})
    called = await driver.claim_call(room=5)
    assert called.next_due_ms is not None
    assert called.next_due_ms < called.now_ms
    assert await driver.redis.zcard(driver.keys.unborn) == 50


async def test_a_running_job_that_is_queued_again_from_outside_runs_once(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.redis.hset(driver.keys.job("a"), "status", "PENDING")
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    assert await driver.claim(OTHER_WORKER) == []
    assert (await driver.waiting(), await driver.status("a")) == ([], "ACTIVE")
    assert await driver.settle(claim, "complete") == "complete"


async def test_a_running_job_that_was_deleted_and_made_anew_belongs_to_its_new_owner(
    driver: Driver,
) -> None:
    old = await driver.running("a")
    await driver.redis.delete(driver.keys.job("a"))
    await driver.redis.hset(driver.keys.job("a"), mapping={"function_name": "f"})
    await driver.redis.zadd(driver.keys.queue("default"), {"a": 1})
    [new] = await driver.claim(OTHER_WORKER)
    assert await driver.settle(old, "complete") == "stale"
    assert await driver.settle(new, "complete") == "complete"


# -- many at once ---------------------------------------------------------------------------


async def _rivals(driver: Driver, number: int) -> list[JobStore]:
    rivals = [JobStore(driver.settings) for _ in range(number)]
    await asyncio.gather(*(rival.redis.execute_command("PING") for rival in rivals))
    return rivals


async def test_of_fifty_claimers_one_gets_the_job(driver: Driver) -> None:
    rivals = await _rivals(driver, 50)
    for _ in range(5):
        answer = await driver.enqueue()
        brought = await asyncio.gather(
            *(
                rival.leases.claim(f"rrq_worker_{number}", ["default"], 10, park_ms=1000)
                for number, rival in enumerate(rivals)
            )
        )
        assert [claim.job_id for one in brought for claim in one.claims] == [answer.job_id]
    await asyncio.gather(*(rival.aclose() for rival in rivals))


async def test_five_hundred_jobs_go_to_fifty_claimers_each_exactly_once(driver: Driver) -> None:
    jobs = [new_job() for _ in range(500)]
    await driver.store.jobs.enqueue(jobs)
    rivals = await _rivals(driver, 50)
    taken: list[str] = []

    async def work(number: int, rival: JobStore) -> None:
        while True:
            claimed = await rival.leases.claim(f"w{number}", ["default"], 3, park_ms=1000)
            if not claimed.claims:
                return
            taken.extend(claim.job_id for claim in claimed.claims)

    await asyncio.gather(*(work(*pair) for pair in enumerate(rivals)))
    assert sorted(taken) == sorted(job.job_id for job in jobs)
    assert sorted(await driver.leased()) == sorted(taken)
    await asyncio.gather(*(rival.aclose() for rival in rivals))
