"""The fan-out to tracing backends, from a producer through the orchestrator."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from rrq import telemetry
from rrq.client import RRQClient
from rrq.job_request import JobRequest
from rrq.settings import RRQSettings
from rrq.telemetry import FanOut, Telemetry
from tests.orchestrator.sleepers import SleeperConfig, working
from tests.support.waiting import eventually
from tests.telemetry.backends import REQUEST, Broken, Recording


@pytest.fixture(autouse=True)
def nothing_active() -> Iterator[None]:
    """No backend is active in this process, before and after."""
    telemetry.disable()
    yield
    telemetry.disable()


@pytest.fixture
def backends() -> tuple[Recording, Recording]:
    """Two sound backends with a broken one between them, active in this process."""
    first, second = Recording("x-first"), Recording("x-second")
    for backend in (first, Broken(), second):
        telemetry.configure(backend)
    return first, second


# -- which are active -------------------------------------------------------------------


def test_without_a_backend_there_is_nothing_to_call() -> None:
    assert telemetry.get_telemetry() is None


def test_a_backend_is_active_once_however_often_it_is_configured() -> None:
    backend = Telemetry()
    telemetry.configure(backend)
    telemetry.configure(backend)
    active = telemetry.get_telemetry()
    assert active is not None
    assert active.backends == [backend]
    telemetry.disable()
    assert telemetry.get_telemetry() is None


def test_a_backend_replaces_one_of_its_name_and_a_plugins_never_does() -> None:
    from rrq.telemetry.activation import offer

    old, by_hand, by_plugin = Recording("x"), Recording("x"), Recording("x")
    telemetry.configure(old)
    telemetry.configure(by_hand)
    offer(by_plugin)
    active = telemetry.get_telemetry()
    assert active is not None
    assert active.backends == [by_hand]


# -- isolation --------------------------------------------------------------------------


def test_what_a_backend_raises_is_logged_once_a_kind_and_reaches_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sound = Recording("x")
    fan_out = FanOut([Broken(), sound])
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        for _ in range(3):
            with fan_out.execution(REQUEST):
                pass
    assert sound.told == ["begin execution", "end execution"] * 3
    [record] = caplog.records
    assert "Telemetry broken" in record.getMessage()


def test_what_a_handler_raises_reaches_every_backend_and_then_the_caller() -> None:
    first, second = Recording("a"), Recording("b")
    with (
        pytest.raises(ValueError, match="boom"),
        FanOut([first, Broken(), second]).execution(REQUEST),
    ):
        raise ValueError("boom")
    assert (
        first.told == second.told == ["begin execution", "execution raised boom", "end execution"]
    )


# -- through a worker -------------------------------------------------------------------


async def test_a_producers_headers_travel_with_the_job_to_its_attempt(
    settings: RRQSettings, backends: tuple[Recording, Recording]
) -> None:
    first, second = backends
    async with working(settings, python=SleeperConfig()) as (worker, client):
        job = await client.enqueue("work")
        assert job is not None
        await client.wait(job, timeout=10)
        await eventually(lambda: first.attempts and second.attempts and first.gauges)
        worker_id = worker.worker_id

    headers = {"x-first": job.id, "x-second": job.id}
    assert job.trace_context == headers
    for backend in (first, second):
        [attempt] = backend.attempts
        started, finished = attempt.started, attempt.finished
        assert started.trace_context == headers
        assert attempt.carried == {backend.header: f"run {started.lease_token}"}
        assert (started.function_name, started.attempt) == ("work", 1)
        assert started.worker_id == worker_id
        assert started.executor_name == "python"
        assert started.queue_delay_ms >= 0
        assert started.previous_lease_token is None
        assert finished.outcome == "success"
        assert finished.duration_ms >= 0
        assert finished.ended_ns >= started.started_ns
        assert sorted(backend.told) == [
            "begin enqueue",
            "end enqueue",
            "flush",
            "worker started",
            "worker stopped",
        ]
        assert backend.told[-2:] == ["worker stopped", "flush"]
        assert backend.gauges[0].capacity == 1
        assert backend.gauges[0].queues is None


async def test_a_timed_out_attempt_ends_as_a_timeout(
    settings: RRQSettings, backends: tuple[Recording, Recording]
) -> None:
    first, _ = backends
    async with working(settings, python=SleeperConfig(seconds=30)) as (_, client):
        await client.enqueue("work", _job_timeout_seconds=1)
        await eventually(lambda: first.attempts, 5)
    finished = first.attempts[0].finished
    assert (finished.outcome, finished.error_message) == ("timeout", "Job timed out after 1s.")
    assert finished.is_dead_lettered


async def test_every_job_of_a_bulk_has_headers_of_its_own(
    settings: RRQSettings, backends: tuple[Recording, Recording]
) -> None:
    async with RRQClient(settings) as client:
        jobs = await client.enqueue_many(JobRequest("work") for _ in range(3))
        for job in jobs:
            assert job is not None
            stored = await client.get_job(job.id)
            assert stored is not None
            assert stored.trace_context == {"x-first": job.id, "x-second": job.id}
