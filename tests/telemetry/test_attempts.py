"""What a backend is told of each attempt, however it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from rrq import telemetry
from rrq.orchestrator import worker_telemetry
from rrq.settings import RRQSettings
from rrq.telemetry import Attempt, QueueGauges
from rrq.telemetry.correlation import Correlation
from tests.support.waiting import eventually
from tests.telemetry.backends import Recording
from tests.telemetry.scripted import scripted


@pytest.fixture
def backend() -> Iterator[Recording]:
    """The only active backend."""
    telemetry.disable()
    backend = Recording("x-diary")
    telemetry.configure(backend)
    yield backend
    telemetry.disable()


async def attempts(backend: Recording, count: int) -> list[Attempt]:
    """The attempts, when there are so many."""
    await eventually(lambda: len(backend.attempts) >= count, what=f"{count} attempts")
    assert len(backend.attempts) == count
    return backend.attempts


async def test_the_executor_is_told_of_the_attempts_span(
    settings: RRQSettings, backend: Recording
) -> None:
    async with scripted(settings) as (_, client, requests):
        job = await client.enqueue("work")
        [attempt] = await attempts(backend, 1)
    headers = json.loads(bytes(requests[0].context.trace_context))
    assert headers == {"x-diary": f"run {attempt.started.lease_token}"} == attempt.carried
    assert job is not None
    assert attempt.started.trace_context == {"x-diary": job.id}


async def test_a_retry_knows_the_lease_of_the_run_before(
    settings: RRQSettings, backend: Recording
) -> None:
    async with scripted(settings) as (_, client, _requests):
        await client.enqueue("retry")
        first, second = await attempts(backend, 2)
    assert (first.finished.outcome, first.finished.reason) == ("retry", "retry")
    assert first.finished.retry_delay_ms == 10
    assert first.finished.error_message == "again"
    assert (second.finished.outcome, second.started.attempt) == ("success", 2)
    assert second.started.previous_lease_token == first.started.lease_token
    assert second.started.lease_token != first.started.lease_token


async def test_a_job_that_fails_for_good_is_told_of_as_a_dead_letter(
    settings: RRQSettings, backend: Recording
) -> None:
    async with scripted(settings) as (_, client, _requests):
        await client.enqueue("fail", _max_retries=2)
        first, second = await attempts(backend, 2)
    assert (first.finished.outcome, first.finished.is_dead_lettered) == ("retry", False)
    assert (second.finished.outcome, second.finished.is_dead_lettered) == ("dlq", True)
    assert (second.finished.error_message, second.finished.error_type) == ("boom", "ValueError")


async def test_a_missing_handler_and_an_unknown_executor_are_dead_letters_too(
    settings: RRQSettings, backend: Recording
) -> None:
    async with scripted(settings) as (_, client, _requests):
        await client.enqueue("nobody")
        [asked] = await attempts(backend, 1)
        await client.enqueue("moon#work")
        _, refused = await attempts(backend, 2)
    assert asked.finished.outcome == refused.finished.outcome == "dlq"
    assert asked.started.executor_name == "python"
    assert refused.started.executor_name == ""
    assert refused.carried == {}
    assert refused.finished.error_message is not None
    assert refused.finished.error_message.startswith("No executor configured for 'moon'.")


async def test_an_attempt_whose_process_is_lost_is_told_of_and_the_last_is_a_dead_letter(
    settings: RRQSettings, backend: Recording
) -> None:
    async with scripted(settings) as (_, client, _requests):
        await client.enqueue("vanish")
        first, second = await attempts(backend, 2)
    assert (first.finished.outcome, first.finished.is_dead_lettered) == ("lost", False)
    assert (second.finished.outcome, second.finished.is_dead_lettered) == ("dlq", True)
    # A loss is no attempt of the job, but a run of its own.
    assert first.started.attempt == second.started.attempt == 1
    assert second.started.previous_lease_token == first.started.lease_token


async def test_a_cancelled_attempt_is_told_of(settings: RRQSettings, backend: Recording) -> None:
    async with scripted(settings) as (_, client, requests):
        job = await client.enqueue("wait")
        assert job is not None
        await eventually(lambda: requests)
        await client.cancel(job)
        [attempt] = await attempts(backend, 1)
    assert (attempt.finished.outcome, attempt.finished.reason) == ("cancelled", "cancel")


async def test_an_attempt_whose_lease_was_lost_is_told_of(
    settings: RRQSettings, backend: Recording, redis: Redis
) -> None:
    hasty = settings.model_copy(update={"lease_seconds": 0.4})
    async with scripted(hasty) as (_, client, requests):
        job = await client.enqueue("wait")
        assert job is not None
        await eventually(lambda: requests)
        # As if another worker had taken it for dead, and run it meanwhile.
        await redis.zrem("rrq:leases", job.id)
        await redis.hset(f"rrq:job:{job.id}", "lease_token", "999999")
        [attempt] = await attempts(backend, 1)
    assert (attempt.finished.outcome, attempt.finished.reason) == ("lost", "lease lost")


async def test_a_worker_that_stops_tells_of_what_it_releases(
    settings: RRQSettings, backend: Recording
) -> None:
    async with scripted(settings) as (worker, client, requests):
        await client.enqueue("wait")
        await eventually(lambda: requests)
        worker.stop_now()
        [attempt] = await attempts(backend, 1)
    assert attempt.finished.outcome == "released"


async def test_a_foreign_job_without_trace_context_is_told_of(
    settings: RRQSettings, backend: Recording, redis: Redis
) -> None:
    async with scripted(settings) as (_, _client, requests):
        await redis.hset(
            "rrq:job:f1",
            mapping={"id": "f1", "function_name": "work", "enqueue_time": "2026-01-01T00:00:00Z"},
        )
        await redis.zadd("rrq:queue:default", {"f1": 1})
        [attempt] = await attempts(backend, 1)
    assert attempt.started.trace_context == {}
    assert attempt.started.enqueue_time == "2026-01-01T00:00:00Z"
    assert json.loads(bytes(requests[0].context.trace_context)) == attempt.carried


async def test_arguments_become_attributes_where_a_backend_asks_for_them(
    settings: RRQSettings, backend: Recording
) -> None:
    silent = Recording("x-silent")
    telemetry.configure(silent)
    backend.correlation = Correlation({"tenant": "kwargs.tenant"})
    async with scripted(settings) as (_, client, requests):
        await client.enqueue("work", tenant="acme")
        [attempt] = await attempts(backend, 1)
        [other] = await attempts(silent, 1)
    assert attempt.attributes == {"tenant": "acme"}
    assert other.attributes == {}
    active = telemetry.get_telemetry()
    assert active is not None
    with active.execution(requests[0]):
        pass
    assert backend.running[0].attributes == {"tenant": "acme"}
    assert silent.running[0].attributes == {}


async def test_the_queues_are_measured_if_a_backend_wants_them(
    settings: RRQSettings, backend: Recording, redis: Redis
) -> None:
    backend.wants_queues = True
    await redis.sadd("rrq:paused", "default")
    await redis.zadd("rrq:queue:default", {"a": 1, "b": 1, "c": 4102444800000})
    async with scripted(settings) as (worker, _client, _requests):
        await eventually(lambda: backend.gauges)
        [gauges] = backend.gauges
        worker_id = worker.worker_id
    assert gauges.worker_id == worker_id
    assert gauges.queues is not None
    queue = gauges.queues["default"]
    assert queue == QueueGauges(
        waiting=3,
        due=2,
        oldest_due_age_seconds=pytest.approx(gauges.measured_ns / 1e9, rel=0.01),
        is_paused=True,
    )
    executor = gauges.executors["python"]
    assert (executor.capacity, executor.processes, executor.restarts) == (10, 1, 0)
    assert (gauges.capacity, gauges.in_flight, gauges.is_redis_up) == (10, 0, True)


async def test_queues_that_redis_does_not_let_a_worker_measure_are_told_of_once(
    settings: RRQSettings,
    backend: Recording,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(worker_telemetry, "GAUGES_SECONDS", 0.01)
    backend.wants_queues = True
    await redis.execute_command("ACL", "SETUSER", "default", "-zcount")
    try:
        async with scripted(settings):
            await eventually(lambda: len(backend.gauges) > 3)
    finally:
        await redis.execute_command("ACL", "SETUSER", "default", "+@all")
    assert {gauges.queues for gauges in backend.gauges} == {None}
    [warning] = [one.getMessage() for one in caplog.records if "measured" in one.getMessage()]
    assert "zcount" in warning
