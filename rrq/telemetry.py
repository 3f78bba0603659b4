"""`Telemetry`: the contract of a tracing backend, and the fan-out to all that are active.

No backend can break or block a job: what one raises is logged once per kind and swallowed.
With no backend active, `get_telemetry()` is None and the callers do nothing at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from rrq.protocol import ExecutionRequest

Role = Literal["producer", "orchestrator", "executor"]
Outcome = Literal["success", "retry", "dlq", "timeout", "error", "cancelled", "lost", "released"]

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class EnqueuedJob:
    """A job on its way into Redis; a backend adds its headers to `trace_context`."""

    job_id: str
    function_name: str
    queue_name: str
    trace_context: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class StartedJob:
    """A job that the orchestrator hands to an executor.

    `queue_delay_ms` is the time from when it was due to when it was claimed.
    """

    job_id: str
    function_name: str
    queue_name: str
    worker_id: str
    executor_name: str
    attempt: int
    timeout_seconds: float
    queue_delay_ms: float
    trace_context: dict[str, str]


@dataclass(slots=True, kw_only=True)
class FinishedJob:
    """What became of one attempt."""

    outcome: Outcome
    duration_ms: float
    retry_delay_ms: float | None = None
    reason: str | None = None
    error_message: str | None = None
    error_type: str | None = None


@dataclass(slots=True, kw_only=True)
class WorkerGauges:
    """What a worker's heartbeat measures."""

    worker_id: str
    in_flight: int
    capacity: int
    lost_leases: int = 0


class JobSpan:
    """One attempt of a job as a backend sees it. Does nothing unless overridden."""

    def finish(self, finished: FinishedJob) -> None:
        """The attempt ended; called exactly once."""


class Telemetry:
    """A tracing backend. Every method does nothing unless overridden."""

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        """A producer span around the write to Redis, with its headers in `trace_context`."""
        return nullcontext()

    def job(self, job: StartedJob) -> JobSpan:
        """A consumer span, child of the producer's."""
        return JobSpan()

    def execution(self, request: ExecutionRequest) -> AbstractContextManager[None]:
        """A span around the handler, current while it runs."""
        return nullcontext()

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        """A worker has its executors up."""

    def heartbeat(self, gauges: WorkerGauges) -> None:
        """A worker measured itself."""

    def worker_stopped(self, worker_id: str) -> None:
        """A worker ends; a backend flushes what it holds."""


class _JobSpans(JobSpan):
    def __init__(self, fan_out: FanOut, spans: list[JobSpan]) -> None:
        self._fan_out = fan_out
        self._spans = spans

    def finish(self, finished: FinishedJob) -> None:
        for span in self._spans:
            self._fan_out.guarded(span.finish, finished)


class FanOut(Telemetry):
    """All active backends as one, each isolated from the others and from the job."""

    def __init__(self, backends: list[Telemetry]) -> None:
        self.backends = backends
        self._reported: set[tuple[str, type[BaseException]]] = set()

    def guarded(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """The call's answer, or None if it raised."""
        try:
            return call(*arguments)
        except Exception as error:
            self._report(call, error)
            return None

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        return self._nested("enqueue", job)

    def job(self, job: StartedJob) -> JobSpan:
        spans = [self.guarded(backend.job, job) for backend in self.backends]
        return _JobSpans(self, [span for span in spans if span is not None])

    def execution(self, request: ExecutionRequest) -> AbstractContextManager[None]:
        return self._nested("execution", request)

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        for backend in self.backends:
            self.guarded(backend.worker_started, worker_id, queues)

    def heartbeat(self, gauges: WorkerGauges) -> None:
        for backend in self.backends:
            self.guarded(backend.heartbeat, gauges)

    def worker_stopped(self, worker_id: str) -> None:
        for backend in self.backends:
            self.guarded(backend.worker_stopped, worker_id)

    @contextmanager
    def _nested(self, method: str, subject: Any) -> Iterator[None]:
        """Enter every backend's context manager; the body's own exception reaches each."""
        entered = []
        for backend in self.backends:
            manager = self.guarded(getattr(backend, method), subject)
            if manager is not None and self.guarded(_enter, manager):
                entered.append(manager)
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            kind = type(error) if error else None
            traceback = error.__traceback__ if error else None
            for manager in reversed(entered):
                self.guarded(manager.__exit__, kind, error, traceback)

    def _report(self, call: Callable[..., Any], error: Exception) -> None:
        kind = (getattr(call, "__qualname__", repr(call)), type(error))
        if kind not in self._reported:
            self._reported.add(kind)
            logger.warning("Telemetry %s failed, jobs go on: %r", kind[0], error)


def _enter(manager: AbstractContextManager[None]) -> bool:
    manager.__enter__()
    return True


_active: FanOut | None = None


def configure(backend: Telemetry) -> None:
    """Make `backend` active in this process, beside those that are already."""
    global _active
    backends = _active.backends if _active else []
    if backend not in backends:
        _active = FanOut([*backends, backend])


def disable() -> None:
    """Make no backend active in this process."""
    global _active
    _active = None


def get_telemetry() -> FanOut | None:
    """All active backends as one, or None if there are none."""
    return _active
