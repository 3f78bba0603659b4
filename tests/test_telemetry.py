"""The fan-out to tracing backends, from a producer through the orchestrator."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from rrq import telemetry
from rrq.client import RRQClient
from rrq.job_request import JobRequest
from rrq.protocol import ExecutionContext, ExecutionRequest
from rrq.settings import RRQSettings
from rrq.telemetry import EnqueuedJob, FanOut, FinishedJob, JobSpan, StartedJob, Telemetry
from tests.orchestrator.sleepers import SleeperConfig, working
from tests.support.waiting import eventually

REQUEST = ExecutionRequest(
    job_id="1",
    function_name="work",
    context=ExecutionContext(job_id="1", attempt=1, enqueue_time="", queue_name="default"),
)


class RecordingSpan(JobSpan):
    def __init__(self, started: StartedJob) -> None:
        self.started = started
        self.finished: FinishedJob | None = None

    def finish(self, finished: FinishedJob) -> None:
        assert self.finished is None, "finished twice"
        self.finished = finished


class Recording(Telemetry):
    """Keeps what it is told, and puts a header of its own into each job."""

    def __init__(self, header: str) -> None:
        self.header = header
        self.spans: list[RecordingSpan] = []
        self.told: list[str] = []

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        self.told.append(f"begin {what}")
        try:
            yield
        except ValueError as error:
            self.told.append(f"{what} raised {error}")
            raise
        finally:
            self.told.append(f"end {what}")

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        job.trace_context[self.header] = job.job_id
        return self._noting("enqueue")

    def job(self, job: StartedJob) -> JobSpan:
        span = RecordingSpan(job)
        self.spans.append(span)
        return span

    def execution(self, request: ExecutionRequest) -> AbstractContextManager[None]:
        return self._noting("execution")

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        self.told.append("worker started")

    def worker_stopped(self, worker_id: str) -> None:
        self.told.append("worker stopped")


class Broken(Telemetry):
    """Raises wherever it can."""

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        raise RuntimeError("enqueue")

    def job(self, job: StartedJob) -> JobSpan:
        raise RuntimeError("job")

    def execution(self, request: ExecutionRequest) -> AbstractContextManager[None]:
        raise RuntimeError("execution")

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        raise RuntimeError("started")

    def worker_stopped(self, worker_id: str) -> None:
        raise RuntimeError("stopped")

    def heartbeat(self, gauges: Any) -> None:
        raise RuntimeError("heartbeat")


@pytest.fixture
def backends() -> Iterator[tuple[Recording, Recording]]:
    """Two sound backends with a broken one between them, active in this process."""
    first, second = Recording("x-first"), Recording("x-second")
    for backend in (first, Broken(), second):
        telemetry.configure(backend)
    yield first, second
    telemetry.disable()


def test_without_a_backend_there_is_nothing_to_call() -> None:
    assert telemetry.get_telemetry() is None


def test_a_backend_is_active_once_however_often_it_is_configured() -> None:
    backend = Telemetry()
    try:
        telemetry.configure(backend)
        telemetry.configure(backend)
        active = telemetry.get_telemetry()
        assert active is not None
        assert active.backends == [backend]
    finally:
        telemetry.disable()
    assert telemetry.get_telemetry() is None


def test_what_a_backend_raises_is_logged_once_a_kind_and_reaches_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sound = Recording("x")
    fan_out = FanOut([Broken(), sound])
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        for _ in range(3):
            with fan_out.execution(REQUEST):
                pass
            fan_out.worker_started("w", ())
    assert sound.told == ["begin execution", "end execution", "worker started"] * 3
    assert len(caplog.records) == 2


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


async def test_a_producers_headers_travel_with_the_job_to_its_spans(
    settings: RRQSettings, backends: tuple[Recording, Recording]
) -> None:
    first, second = backends
    async with working(settings, python=SleeperConfig()) as (worker, client):
        job = await client.enqueue("work")
        assert job is not None
        await client.wait(job, timeout=10)
        await eventually(lambda: first.spans and first.spans[0].finished)
        worker_id = worker.worker_id

    headers = {"x-first": job.id, "x-second": job.id}
    assert job.trace_context == headers
    for backend in (first, second):
        [span] = backend.spans
        assert span.started.trace_context == headers
        assert (span.started.function_name, span.started.attempt) == ("work", 1)
        assert span.started.worker_id == worker_id
        assert span.started.executor_name == "python"
        assert span.started.queue_delay_ms >= 0
        assert span.finished is not None
        assert span.finished.outcome == "success"
        assert span.finished.duration_ms >= 0
        assert sorted(backend.told) == [
            "begin enqueue",
            "end enqueue",
            "worker started",
            "worker stopped",
        ]
        assert backend.told[-1] == "worker stopped"


async def test_a_timed_out_attempt_ends_its_span_as_a_timeout(
    settings: RRQSettings, backends: tuple[Recording, Recording]
) -> None:
    first, _ = backends
    async with working(settings, python=SleeperConfig(seconds=30)) as (_, client):
        await client.enqueue("work", _job_timeout_seconds=1)
        await eventually(lambda: first.spans and first.spans[0].finished, 5)
    finished = first.spans[0].finished
    assert finished is not None
    assert (finished.outcome, finished.error_message) == ("timeout", "Job timed out after 1s.")


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
