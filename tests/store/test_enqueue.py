"""What the enqueue step writes, and what it makes of an id that exists already."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec import Raw
from redis.exceptions import ResponseError

from rrq.exc import DuplicateJob, JobAlreadyRunning
from rrq.settings import RRQSettings
from rrq.store.jobs import time_from_ms
from tests.store.driving import WORKER, Driver, new_job


async def test_a_job_is_written_whole_and_waits_in_its_queue(driver: Driver) -> None:
    answer = await driver.enqueue(queue="urgent", job_args="[1]", trace_context='{"a":"b"}')
    job = await driver.hash(answer.job_id)
    assert await driver.waiting("urgent") == [answer.job_id]
    assert job == {
        "id": answer.job_id,
        "function_name": "greet",
        "job_args": "[1]",
        "job_kwargs": "{}",
        "queue_name": "urgent",
        "max_retries": "3",
        "job_timeout_seconds": "30",
        "result_ttl_seconds": "100",
        "trace_context": '{"a":"b"}',
        "status": "PENDING",
        "current_retries": "0",
        "result": "null",
        "enqueue_time": job["enqueue_time"],
        "next_scheduled_run_time": job["enqueue_time"],
    }
    assert datetime.fromisoformat(job["enqueue_time"]) == answer.enqueued_at == answer.due_at
    assert await driver.store.queues.names() == ["urgent"]
    assert await driver.ttl_seconds(answer.job_id) == -1


async def test_a_delay_counts_from_the_clock_of_redis(driver: Driver) -> None:
    answer = await driver.enqueue(delay_ms=60_000)
    assert answer.due_at is not None
    assert (answer.due_at - answer.enqueued_at).total_seconds() == pytest.approx(60, abs=1e-5)
    assert time_from_ms(await driver.due_ms(answer.job_id) or 0) == answer.due_at
    assert (await driver.hash(answer.job_id))["next_scheduled_run_time"].endswith("Z")


async def test_a_point_of_time_is_kept_to_the_microsecond(driver: Driver) -> None:
    answer = await driver.enqueue(at_ms=2_000_000_000_000.123)
    assert answer.due_at == datetime(2033, 5, 18, 3, 33, 20, 123, tzinfo=UTC)
    job = await driver.hash(answer.job_id)
    assert job["next_scheduled_run_time"] == "2033-05-18T03:33:20.000123Z"


async def test_a_time_beyond_the_calendar_becomes_its_last_millisecond(driver: Driver) -> None:
    answer = await driver.enqueue(at_ms=1e300)
    job = await driver.store.jobs.get(answer.job_id)
    assert job is not None
    assert job.next_scheduled_run_time == datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)


async def test_the_new_definition_of_a_waiting_id_replaces_the_old_one(driver: Driver) -> None:
    await driver.enqueue("a", queue="slow", dlq_name="odd", trace_context="{}")
    await driver.enqueue("a", queue="urgent", delay_ms=5000, job_args="[2]")
    job = await driver.hash("a")
    assert await driver.waiting("slow") == []
    assert await driver.waiting("urgent") == ["a"]
    assert job["job_args"] == "[2]"
    assert "dlq_name" not in job
    assert "trace_context" not in job
    assert await driver.claim(queues=["slow", "urgent"]) == []


async def test_rescheduling_moves_the_due_time_both_ways(driver: Driver) -> None:
    await driver.enqueue("a", delay_ms=5000)
    await driver.enqueue("a")
    assert [claim.job_id for claim in await driver.claim()] == ["a"]
    await driver.enqueue("b")
    await driver.enqueue("b", delay_ms=5000)
    assert await driver.claim() == []


async def test_the_id_of_a_running_job_is_refused_and_the_run_goes_on(driver: Driver) -> None:
    claim = await driver.running("a")
    before = await driver.hash("a")
    with pytest.raises(JobAlreadyRunning) as refusal:
        await driver.enqueue("a", job_args="[2]")
    assert refusal.value.job_id == "a"
    assert await driver.hash("a") == before
    assert await driver.waiting() == []
    assert await driver.settle(claim, "complete") == "complete"


async def test_a_finished_id_starts_from_a_clean_slate(driver: Driver) -> None:
    claim = await driver.running("a", trace_context="{}")
    attempt = b'{"outcome":"error"}'
    await driver.settle(claim, "retry", "first", attempt=attempt)
    await driver.make_due("a")
    [claim] = await driver.claim()
    await driver.settle(claim, "complete", Raw(b"7"), attempt=attempt)
    assert await driver.ttl_seconds("a") > 0

    await driver.enqueue("a")

    job = await driver.hash("a")
    fresh = await driver.enqueue()
    assert set(job) - set(await driver.hash(fresh.job_id)) == {"enqueue_nonce"}
    assert (job["status"], job["current_retries"], job["result"]) == ("PENDING", "0", "null")
    assert await driver.ttl_seconds("a") == -1
    assert await driver.waiting() == ["a", fresh.job_id]


async def test_a_new_run_of_a_failed_id_takes_it_out_of_the_dead_letters(driver: Driver) -> None:
    for job_id, more in (("a", {}), ("b", {"dlq_name": "rrq:dlq:odd"}), ("c", {})):
        await driver.settle(await driver.running(job_id, **more), "fail", "no")
    assert await driver.dead() == ["c", "a"]
    assert await driver.dead("odd") == ["b"]
    await driver.enqueue("a")
    await driver.enqueue("b")
    assert await driver.dead() == ["c"]
    assert await driver.dead("odd") == []
    assert "last_error" not in await driver.hash("a")


async def test_a_cancelled_id_can_run_again(driver: Driver) -> None:
    await driver.enqueue("a")
    await driver.store.jobs.cancel("a")
    await driver.enqueue("a")
    assert await driver.ttl_seconds("a") == -1
    assert [claim.job_id for claim in await driver.claim()] == ["a"]


async def test_a_late_verdict_on_the_old_run_changes_nothing_in_the_new_one(
    driver: Driver,
) -> None:
    claim = await driver.running("a")
    await driver.settle(claim, "complete")
    await driver.enqueue("a")
    assert await driver.settle(claim, "fail", "late") == "stale"
    assert await driver.status("a") == "PENDING"
    assert await driver.waiting() == ["a"]


async def test_a_repeated_call_is_recognised_while_its_job_waits_runs_and_after(
    driver: Driver,
) -> None:
    for job in (new_job("named", delay_ms=50), new_job(delay_ms=50)):
        [first] = await driver.store.jobs.enqueue([job])
        [again] = await driver.store.jobs.enqueue([job])
        assert (again.job_id, again.due_at, again.is_duplicate) == (
            first.job_id,
            first.due_at,
            False,
        )
        await driver.make_due(job.job_id)
        [claim] = await driver.claim()
        [again] = await driver.store.jobs.enqueue([job])
        assert again.job_id == job.job_id
        assert await driver.leased() == [job.job_id]
        await driver.settle(claim, "complete", Raw(b"7"))
        await driver.store.jobs.enqueue([job])
        assert (await driver.hash(job.job_id))["result"] == "7"
        assert await driver.waiting() == []


async def test_another_call_for_the_same_id_is_no_repetition(driver: Driver) -> None:
    await driver.enqueue("a", job_args="[1]")
    await driver.enqueue("a", job_args="[2]")
    assert (await driver.hash("a"))["job_args"] == "[2]"


async def test_a_refused_job_leaves_nothing_of_its_call_behind(driver: Driver) -> None:
    await driver.running("busy")
    before = await driver.all_keys()
    with pytest.raises(JobAlreadyRunning):
        await driver.store.jobs.enqueue([new_job(queue="x"), new_job("busy"), new_job()])
    assert await driver.all_keys() == before

    holder = await driver.enqueue(unique_key="k", delay_ms=60_000)
    before = await driver.all_keys()
    with pytest.raises(DuplicateJob) as refusal:
        await driver.store.jobs.enqueue(
            [new_job(queue="x"), new_job(unique_key="k", on_conflict="raise")]
        )
    assert (refusal.value.unique_key, refusal.value.holder_id) == ("k", holder.job_id)
    assert await driver.all_keys() == before


async def test_a_name_that_is_taken_by_no_hash_refuses_the_whole_call(driver: Driver) -> None:
    await driver.redis.set(driver.keys.job("a"), "no hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await driver.store.jobs.enqueue([new_job("b"), new_job("a")])
    assert await driver.all_keys() == {driver.keys.job("a")}


async def test_a_queue_whose_key_is_taken_by_another_type_leaves_no_hash(driver: Driver) -> None:
    await driver.redis.set(driver.keys.queue("default"), "no queue")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await driver.store.jobs.enqueue([new_job() for _ in range(3)])
    assert await driver.all_keys() == {driver.keys.queue("default")}


async def test_a_call_that_is_sent_again_makes_its_jobs_once(driver: Driver) -> None:
    jobs = [new_job(queue=queue) for queue in ("a", "b", "a")]
    first = await driver.store.jobs.enqueue(jobs)
    await driver.claim(queues=["a"], room=1)
    again = await driver.store.jobs.enqueue([*jobs, new_job(queue="b")])
    assert [answer.job_id for answer in again[:3]] == [answer.job_id for answer in first]
    assert await driver.waiting("a") == [jobs[2].job_id]
    assert await driver.waiting("b") == [jobs[1].job_id, again[3].job_id]


async def test_an_id_that_is_given_twice_in_one_call_is_one_job(driver: Driver) -> None:
    job = new_job()
    answers = await driver.store.jobs.enqueue([job, new_job(), job])
    assert answers[2].job_id == job.job_id
    assert len(await driver.waiting()) == 2


async def test_more_jobs_than_fit_in_one_command_are_one_call_all_the_same(driver: Driver) -> None:
    jobs = [new_job() for _ in range(4100)]
    await driver.store.jobs.enqueue(jobs)
    assert await driver.waiting() == [job.job_id for job in jobs]


async def test_jobs_of_one_call_keep_their_order_and_are_due_at_once(driver: Driver) -> None:
    jobs = [new_job() for _ in range(500)]
    await driver.store.jobs.enqueue(jobs)
    claims = await driver.claim(room=500)
    assert [claim.job_id for claim in claims] == [job.job_id for job in jobs]


async def test_no_job_of_a_later_call_overtakes_one_of_an_earlier_call(driver: Driver) -> None:
    chunks = [[new_job() for _ in range(size)] for size in (1, 300, 1, 2, 300, 1, 1)]
    pipelined = [asyncio.create_task(driver.store.jobs.enqueue(chunk)) for chunk in chunks]
    # Each has a connection of its own: what counts is the order in which Redis took them.
    answers = await asyncio.gather(*pipelined)
    order = sorted(range(len(chunks)), key=lambda i: answers[i][0].enqueued_at)
    expected = [job.job_id for i in order for job in chunks[i]]
    assert await driver.waiting() == expected


async def test_an_id_need_not_be_ascii_nor_even_utf8(driver: Driver) -> None:
    broken = b"\xff-\xfe".decode(errors="surrogateescape")
    for job_id in ("größe 😀", "with space\nand line", "a:b:c", broken):
        answer = await driver.enqueue(job_id, unique_key=f"key of {job_id}")
        assert answer.job_id == job_id
        assert await driver.waiting() == [job_id]
        [claim] = await driver.claim()
        assert claim.job_id == job_id
        assert await driver.store.leases.renew([(job_id, claim.token)]) == []
        assert await driver.settle(claim, "complete") == "complete"
        assert await driver.status(job_id) == "COMPLETED"


async def test_a_prefix_keeps_two_rrqs_apart(driver: Driver) -> None:
    shop = Driver(RRQSettings(redis_dsn=driver.settings.redis_dsn, key_prefix="{shop}"))
    await shop.enqueue("a", unique_key="k")
    await driver.enqueue("a", unique_key="k")
    assert await shop.waiting() == await driver.waiting() == ["a"]
    [claim] = await shop.claim(WORKER)
    await shop.settle(claim, "fail", "no")
    assert await shop.dead() == ["a"]
    assert await driver.dead() == []
    assert {key.partition(":")[0] for key in await driver.all_keys()} == {"{shop}", "rrq"}
    await shop.store.aclose()
