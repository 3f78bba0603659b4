"""Backends for the tests of the fan-out: one that keeps what it is told, one that only raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from rrq.protocol import ExecutionContext, ExecutionRequest
from rrq.telemetry import Attempt, EnqueuedJob, RunningJob, StartedJob, Telemetry, WorkerGauges

REQUEST = ExecutionRequest(
    job_id="1",
    function_name="work",
    context=ExecutionContext(job_id="1", attempt=1, enqueue_time="", queue_name="default"),
)


class Recording(Telemetry):
    """Keeps what it is told, and puts a header of its own into each job."""

    def __init__(self, header: str) -> None:
        self.name = header
        self.header = header
        self.attempts: list[Attempt] = []
        self.gauges: list[WorkerGauges] = []
        self.running: list[RunningJob] = []
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

    def carry(self, job: StartedJob) -> Mapping[str, str]:
        return {self.header: f"run {job.lease_token}"}

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def execution(self, job: RunningJob) -> AbstractContextManager[None]:
        self.running.append(job)
        return self._noting("execution")

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        self.told.append("worker started")

    def heartbeat(self, gauges: WorkerGauges) -> None:
        self.gauges.append(gauges)

    def worker_stopped(self, worker_id: str) -> None:
        self.told.append("worker stopped")

    def flush(self, timeout_seconds: float) -> None:
        self.told.append("flush")


class Broken(Telemetry):
    """Raises wherever it can."""

    name = "broken"

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        raise RuntimeError("enqueue")

    def carry(self, job: StartedJob) -> Mapping[str, str]:
        raise RuntimeError("carry")

    def attempt(self, attempt: Attempt) -> None:
        raise RuntimeError("attempt")

    def execution(self, job: RunningJob) -> AbstractContextManager[None]:
        raise RuntimeError("execution")

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        raise RuntimeError("started")

    def worker_stopped(self, worker_id: str) -> None:
        raise RuntimeError("stopped")

    def heartbeat(self, gauges: WorkerGauges) -> None:
        raise RuntimeError("heartbeat")

    def flush(self, timeout_seconds: float) -> None:
        raise RuntimeError("flush")
