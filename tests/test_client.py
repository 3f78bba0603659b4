"""`RRQClient`: what each option writes, what is refused, waiting, cancelling, closing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from msgspec import Raw

import rrq.bulk
from rrq.client import RRQClient
from rrq.exc import DuplicateJob, JobAlreadyRunning, JobFailed, JobNotFound
from rrq.job import JobStatus
from rrq.job_request import JobRequest
from rrq.settings import RRQSettings
from rrq.store.claim import Claim
from rrq.store.store import JobStore
from rrq.store.verdict import Verdict, VerdictKind
from tests.support.waiting import eventually


@pytest.fixture
async def client(settings: RRQSettings) -> AsyncIterator[RRQClient]:
    async with RRQClient(settings) as client:
        yield client


async def _claim(client: RRQClient, queue: str = "default", room: int = 10) -> list[Claim]:
    claimed = await client.job_store.leases.claim("w", [queue], room, park_ms=1000)
    return claimed.claims


async def _end(
    client: RRQClient,
    claim: Claim,
    kind: VerdictKind,
    text: str | Raw = "",
    attempt: bytes = b"",
) -> None:
    verdict = Verdict(
        job_id=claim.job_id,
        token=claim.token,
        kind=kind,
        queue=claim.queue,
        text=text,
        attempt=attempt,
    )
    assert await client.job_store.leases.settle([verdict]) == [kind]


# -- enqueue ----------------------------------------------------------------------------------


async def test_enqueue_returns_the_job_as_it_stands_in_redis(client: RRQClient) -> None:
    job = await client.enqueue("greet", 1, "ü", name=[True])
    assert job is not None
    assert await client.get_job(job.id) == job
    assert (job.function_name, job.job_args, job.job_kwargs) == (
        "greet",
        [1, "ü"],
        {"name": [True]},
    )
    assert (job.status, job.current_retries) == (JobStatus.PENDING, 0)
    assert (job.max_retries, job.job_timeout_seconds, job.result_ttl_seconds) == (5, 300, 86_400)
    assert job.queue_name == "rrq:queue:default"
    assert job.next_scheduled_run_time == job.enqueue_time
    assert abs(job.enqueue_time - datetime.now(UTC)) < timedelta(seconds=10)


async def test_every_option_reaches_redis(client: RRQClient) -> None:
    job = await client.enqueue(
        "greet",
        _queue_name="urgent",
        _job_id="mine",
        _unique_key="k",
        _max_retries=7,
        _job_timeout_seconds=8,
        _result_ttl_seconds=0,
        _defer_by=60,
    )
    assert job is not None
    assert await client.get_job("mine") == job
    assert (job.id, job.queue_name, job.job_unique_key) == ("mine", "urgent", "k")
    assert (job.max_retries, job.job_timeout_seconds, job.result_ttl_seconds) == (7, 8, 0)
    assert await client.job_store.get_queued_job_ids("urgent") == ["mine"]
    assert await client.job_store.get_unique_lock_holder("k") == "mine"


async def test_the_settings_give_the_defaults(settings: RRQSettings) -> None:
    own = settings.model_copy(
        update={
            "default_queue_name": "mine",
            "default_max_retries": 2,
            "default_job_timeout_seconds": 3,
            "default_result_ttl_seconds": 4,
            "default_unique_job_lock_ttl_seconds": 50,
        }
    )
    async with RRQClient(own) as client:
        job = await client.enqueue("f", _unique_key="k")
        assert job is not None
        assert (job.max_retries, job.job_timeout_seconds, job.result_ttl_seconds) == (2, 3, 4)
        assert await client.job_store.get_queued_job_ids("mine") == [job.id]
        assert 48 <= await client.job_store.get_lock_ttl("k") <= 50


async def test_ids_that_nobody_chose_are_random_uuids(client: RRQClient) -> None:
    jobs = await client.enqueue_many(JobRequest("f") for _ in range(500))
    ids = [UUID(job.id) for job in [*jobs, await client.enqueue("f")] if job]
    assert len(set(ids)) == 501
    assert {(one.version, one.variant) for one in ids} == {(4, RFC_4122)}
    # Both of the bits beside the variant's are as random as the rest.
    assert {str(one)[19] for one in ids} == set("89ab")


@pytest.mark.parametrize("name", ["urgent", "rrq:queue:urgent"])
async def test_a_queue_may_be_named_bare_or_by_its_full_key(client: RRQClient, name: str) -> None:
    job = await client.enqueue("f", _queue_name=name)
    assert job is not None
    assert job.queue_name == name
    assert await client.job_store.is_job_queued("urgent", job.id)
    assert await client.job_store.batch_get_queue_sizes([name]) == {name: 1}


@pytest.mark.parametrize(
    "until",
    [
        datetime(2100, 1, 1, 12, 0, 0, 123457),
        datetime(2100, 1, 1, 12, 0, 0, 123457, tzinfo=UTC),
        datetime(2100, 1, 1, 14, 0, 0, 123457, tzinfo=timezone(timedelta(hours=2))),
    ],
)
async def test_a_job_is_deferred_until_a_time_and_naive_means_utc(
    client: RRQClient, until: datetime
) -> None:
    job = await client.enqueue("f", _defer_until=until)
    assert job is not None
    assert job.next_scheduled_run_time == datetime(2100, 1, 1, 12, 0, 0, 123457, tzinfo=UTC)
    assert await client.get_job(job.id) == job
    assert await _claim(client) == []


@pytest.mark.parametrize("delay", [timedelta(minutes=1), 60, 60.0])
async def test_a_job_is_deferred_by_a_time(client: RRQClient, delay: Any) -> None:
    job = await client.enqueue("f", _defer_by=delay)
    assert job is not None
    assert job.next_scheduled_run_time is not None
    wait = (job.next_scheduled_run_time - job.enqueue_time).total_seconds()
    assert wait == pytest.approx(60, abs=1e-4)


async def test_a_time_in_the_past_is_due_at_once(client: RRQClient) -> None:
    await client.enqueue("f", _job_id="b", _defer_by=-5)
    await client.enqueue("f", _job_id="a", _defer_until=datetime(2020, 1, 1))
    assert [claim.job_id for claim in await _claim(client)] == ["a", "b"]


async def test_an_argument_that_cannot_be_json_is_named_and_nothing_is_written(
    client: RRQClient,
) -> None:
    with pytest.raises(TypeError, match=r"Argument 'what' of job 'greet' cannot be JSON"):
        await client.enqueue("greet", 1, what=object())
    assert await client.job_store.redis.dbsize() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"_defer_by": 1, "_defer_until": datetime(2100, 1, 1)}, "not both"),
        ({"_defer_by": float("nan")}, "`defer_by` is nan"),
        ({"_defer_by": float("inf")}, "`defer_by` is inf"),
        ({"_defer_by": timedelta.max}, "`defer_by`"),
        ({"_on_conflict": "ignore"}, "`on_conflict` is 'ignore'; it can be skip, raise"),
        ({"_max_retries": 0}, "`max_retries` is 0; the smallest is 1"),
        ({"_job_timeout_seconds": 0}, "`job_timeout_seconds` is 0"),
        ({"_result_ttl_seconds": -1}, "`result_ttl_seconds` is -1"),
        ({"_job_id": ""}, "`job_id` is empty"),
        ({"_queue_name": ""}, "`queue_name` is empty"),
        ({"_unique_key": ""}, "`unique_key` is empty"),
        ({"_job_id": "\udcff"}, "`job_id` is '\\\\udcff', which UTF-8 cannot write"),
    ],
)
async def test_an_option_that_makes_no_sense_is_refused(
    client: RRQClient, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await client.enqueue("f", **options)
    assert await client.job_store.redis.dbsize() == 0


async def test_a_function_name_that_is_no_text_is_refused(client: RRQClient) -> None:
    with pytest.raises(ValueError, match="`function_name`"):
        await client.enqueue("\udcff")


# -- ids and keys -----------------------------------------------------------------------------


async def test_a_held_unique_key_skips_raises_defers_or_replaces(client: RRQClient) -> None:
    first = await client.enqueue("f", 1, _unique_key="k", _defer_by=60)
    assert first is not None
    assert await client.enqueue("f", 2, _unique_key="k") is None
    with pytest.raises(DuplicateJob) as refusal:
        await client.enqueue("f", 2, _unique_key="k", _on_conflict="raise")
    assert (refusal.value.unique_key, refusal.value.holder_id) == ("k", first.id)

    deferred = await client.enqueue("f", 3, _unique_key="k", _on_conflict="defer")
    assert deferred is not None
    assert deferred.id != first.id
    assert await client.get_job(deferred.id) == deferred
    assert deferred.next_scheduled_run_time is not None
    assert deferred.next_scheduled_run_time > first.next_scheduled_run_time  # type: ignore[operator]

    replaced = await client.enqueue("g", 4, _unique_key="k", _on_conflict="replace")
    assert replaced is not None
    assert replaced.id == first.id
    assert await client.get_job(first.id) == replaced
    assert [claim.function_name for claim in await _claim(client)] == ["g"]


async def test_an_id_of_ones_own_reschedules_is_refused_while_running_and_runs_again(
    client: RRQClient,
) -> None:
    await client.enqueue("f", 1, _job_id="a", _defer_by=60)
    await client.enqueue("f", 2, _job_id="a")
    [claim] = await _claim(client)
    assert bytes(claim.args) == b"[2]"
    with pytest.raises(JobAlreadyRunning, match="Job a is running"):
        await client.enqueue("f", 3, _job_id="a")
    await _end(client, claim, "complete", Raw(b"1"))
    job = await client.enqueue("f", 4, _job_id="a")
    assert await client.get_job("a") == job


# -- enqueue_many -----------------------------------------------------------------------------


async def test_many_jobs_come_back_in_order_with_none_for_the_skipped(client: RRQClient) -> None:
    await client.enqueue("f", _unique_key="held", _defer_by=60)
    requests = [
        JobRequest("f", (number,), unique_key="held" if number % 3 == 0 else None)
        for number in range(10)
    ]
    jobs = await client.enqueue_many(iter(requests))
    assert [job and job.job_args for job in jobs] == [
        None if number % 3 == 0 else [number] for number in range(10)
    ]
    claims = await _claim(client, room=20)
    assert [bytes(claim.args) for claim in claims] == [
        b"[%d]" % number for number in range(10) if number % 3
    ]


async def test_nothing_to_enqueue_is_nothing(client: RRQClient) -> None:
    assert await client.enqueue_many([]) == []


async def test_more_jobs_than_a_chunk_holds_keep_their_order(client: RRQClient) -> None:
    number = 2 * rrq.bulk.CHUNK_JOBS + 3
    jobs = await client.enqueue_many(JobRequest("f", (index,)) for index in range(number))
    assert [job and job.job_args for job in jobs] == [[index] for index in range(number)]
    waiting = await client.job_store.get_queued_job_ids("default")
    assert waiting == [job.id for job in jobs if job]


async def _calls(client: RRQClient, requests: list[JobRequest]) -> list[int]:
    """How many jobs each enqueue call brought, by their common enqueue time."""
    jobs = await client.enqueue_many(requests)
    times = [job.enqueue_time for job in jobs if job]
    return [times.count(time) for time in dict.fromkeys(times)]


async def test_chunks_are_bounded_by_count_and_by_bytes(client: RRQClient) -> None:
    chunk = rrq.bulk.CHUNK_JOBS
    assert await _calls(client, [JobRequest("f")] * (chunk + 1)) == [chunk, 1]
    third = "x" * (rrq.bulk.CHUNK_BYTES // 3 - 100)
    assert await _calls(client, [JobRequest("f", (third,)) for _ in range(7)]) == [3, 3, 1]
    whole = "x" * (rrq.bulk.CHUNK_BYTES + 1)
    assert await _calls(client, [JobRequest("f", (whole,)) for _ in range(2)]) == [1, 1]


async def test_a_chunk_with_a_refused_job_is_not_written_and_those_before_it_are(
    client: RRQClient,
) -> None:
    await client.enqueue("f", _job_id="busy")
    await _claim(client)
    chunk = rrq.bulk.CHUNK_JOBS
    requests = [JobRequest("f") for _ in range(chunk + 5)]
    requests[chunk + 2] = JobRequest("f", job_id="busy")
    with pytest.raises(JobAlreadyRunning):
        await client.enqueue_many(requests)
    assert len(await client.job_store.get_queued_job_ids("default")) == chunk


async def test_a_request_that_is_sent_twice_asks_for_two_jobs(client: RRQClient) -> None:
    request = JobRequest("f", (1,))
    first, second = await client.enqueue_many([request, request])
    [third] = await client.enqueue_many([request])
    assert first is not None
    assert second is not None
    assert third is not None
    waiting = await client.job_store.get_queued_job_ids("default")
    assert waiting == [first.id, second.id, third.id]


async def test_an_unusable_request_stops_its_chunk_before_anything_is_written(
    client: RRQClient,
) -> None:
    with pytest.raises(TypeError, match="number 1"):
        await client.enqueue_many([JobRequest("f"), JobRequest("g", (object(),))])
    assert await client.job_store.redis.dbsize() == 0


# -- wait -------------------------------------------------------------------------------------


async def _waiting(client: RRQClient, job_id: str) -> None:
    key = client.job_store.keys.waiters(job_id)
    await eventually(lambda: client.job_store.redis.exists(key), what="the wish")


async def test_waiting_gives_the_result_as_soon_as_the_job_has_ended(client: RRQClient) -> None:
    job = await client.enqueue("f")
    assert job is not None
    waiting = asyncio.create_task(client.wait(job, timeout=10))
    await _waiting(client, job.id)
    assert not waiting.done()
    [claim] = await _claim(client)
    await _end(client, claim, "complete", Raw(b'{"n": [1]}'))
    async with asyncio.timeout(2):
        assert await waiting == {"n": [1]}


async def test_a_job_that_failed_raises_with_its_error(client: RRQClient) -> None:
    await client.enqueue("f", _job_id="a")
    waiting = asyncio.create_task(client.wait("a", timeout=10))
    await _waiting(client, "a")
    [claim] = await _claim(client)
    await _end(client, claim, "fail", "boom")
    with pytest.raises(JobFailed, match="Job a ended FAILED: boom") as failure:
        await waiting
    assert (failure.value.job_id, failure.value.status, failure.value.error) == (
        "a",
        "FAILED",
        "boom",
    )


async def test_the_error_of_a_job_that_failed_is_told_with_its_type(client: RRQClient) -> None:
    await client.enqueue("f", _job_id="a")
    [claim] = await _claim(client)
    attempt = b'{"outcome": "error", "error": "\'id\'", "error_type": "KeyError"}'
    await _end(client, claim, "fail", "'id'", attempt)

    with pytest.raises(JobFailed, match="Job a ended FAILED: KeyError: 'id'") as failure:
        await client.wait("a", timeout=10)

    assert (failure.value.error, failure.value.error_type) == ("'id'", "KeyError")


async def test_a_job_that_was_cancelled_raises(client: RRQClient) -> None:
    await client.enqueue("f", _job_id="a", _defer_by=60)
    waiting = asyncio.create_task(client.wait("a", timeout=10))
    await _waiting(client, "a")
    await client.cancel("a")
    with pytest.raises(JobFailed, match="Job a ended CANCELLED") as failure:
        await waiting
    assert (failure.value.status, failure.value.error) == ("CANCELLED", None)


async def test_a_job_that_has_ended_already_is_told_at_once(client: RRQClient) -> None:
    await client.enqueue("f", _job_id="a")
    [claim] = await _claim(client)
    await _end(client, claim, "complete", Raw(b"7"))
    assert await client.wait("a", timeout=0.5) == 7


async def test_waiting_longer_than_the_timeout_raises_and_the_job_goes_on(
    client: RRQClient,
) -> None:
    await client.enqueue("f", _job_id="a")
    with pytest.raises(TimeoutError):
        await client.wait("a", timeout=0.05)
    assert [claim.job_id for claim in await _claim(client)] == ["a"]


async def test_there_is_no_waiting_for_a_job_that_is_not_there(client: RRQClient) -> None:
    with pytest.raises(JobNotFound, match="There is no job nothing"):
        await client.wait("nothing", timeout=5)


async def test_many_waits_share_one_connection(client: RRQClient) -> None:
    jobs = await client.enqueue_many(JobRequest("f", (number,)) for number in range(200))
    waits = [asyncio.create_task(client.wait(job, timeout=20)) for job in jobs if job]
    # Two wait for the same job.
    assert jobs[0] is not None
    waits.append(asyncio.create_task(client.wait(jobs[0].id, timeout=20)))
    for job in jobs:
        assert job is not None
        await _waiting(client, job.id)
    blocked = [
        one
        for one in await client.job_store.redis.client_list()
        if one["cmd"] == "blpop" and "b" in one["flags"]
    ]
    assert len(blocked) == 1
    while claims := await _claim(client, room=50):
        for claim in claims:
            await _end(client, claim, "complete", claim.args)
    assert await asyncio.gather(*waits) == [[number] for number in [*range(200), 0]]


async def test_a_wait_that_was_given_up_leaves_the_others_alone(client: RRQClient) -> None:
    await client.enqueue("f", _job_id="a")
    given_up = asyncio.create_task(client.wait("a"))
    kept = asyncio.create_task(client.wait("a", timeout=10))
    await _waiting(client, "a")
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    [claim] = await _claim(client)
    await _end(client, claim, "complete", Raw(b"7"))
    assert await kept == 7
    assert await client.wait("a", timeout=1) == 7


# -- the rest -----------------------------------------------------------------------------------


async def test_cancel_says_what_became_of_the_job(client: RRQClient) -> None:
    job = await client.enqueue("f", _defer_by=60)
    assert job is not None
    assert await client.cancel(job) == "cancelled"
    assert await client.cancel(job.id) == "CANCELLED"
    assert await client.cancel("nothing") == "missing"
    await client.enqueue("f", _job_id="a")
    await _claim(client)
    assert await client.cancel("a") == "requested"


async def test_an_unknown_job_is_none(client: RRQClient) -> None:
    assert await client.get_job("nothing") is None


async def test_a_client_closes_the_store_that_it_made(settings: RRQSettings) -> None:
    observer = JobStore(settings)
    others = {one["id"] for one in await observer.redis.client_list()}
    client = RRQClient(settings)
    await client.enqueue("f", _job_id="a")
    assert await client.get_job("a") is not None
    waiting = asyncio.create_task(client.wait("a", timeout=10))
    await _waiting(client, "a")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(await observer.redis.client_list()) >= len(others) + 2  # steps, mailbox
    await client.close()

    async def ours_are_gone() -> bool:
        return {one["id"] for one in await observer.redis.client_list()} <= others

    await eventually(ours_are_gone, what="the end of the client's connections")
    await observer.aclose()


async def test_a_client_leaves_a_shared_store_open(settings: RRQSettings) -> None:
    store = JobStore(settings)
    for _ in range(2):
        async with RRQClient(settings, job_store=store) as client:
            assert client.job_store is store
            await client.enqueue("f")
    assert len(await store.get_queued_job_ids("default")) == 2
    await store.aclose()


async def test_a_client_can_be_closed_twice_and_used_again(settings: RRQSettings) -> None:
    client = RRQClient(settings)
    await client.close()
    await client.enqueue("f")
    await client.close()
    await client.close()
    job = await client.enqueue("f")
    assert job is not None
    assert await client.get_job(job.id) == job
    await client.close()
