"""`OTelTelemetry`: OpenTelemetry as RRQ's kernel knows a backend.

OpenTelemetry is imported when there is something to do with it: a process in which nobody has
configured it pays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from rrq.telemetry import (
    Attempt,
    EnqueuedJob,
    RunningJob,
    StartedJob,
    Telemetry,
    WorkerGauges,
)
from rrq_otel.later import Later
from rrq_otel.metrics import Metrics
from rrq_otel.tracing import Tracing, scope

if TYPE_CHECKING:
    from rrq.telemetry.correlation import Correlation
    from rrq_otel.executing import ExecutionSpans
    from rrq_otel.job_spans import JobSpans
    from rrq_otel.sdk import Providers

NAME = "otel"


class OTelTelemetry(Telemetry):
    """Spans and metrics through OpenTelemetry.

    Args:
        own: what was set up for a process without an application; None takes the application's.
        service_name: for an attribute of RRQ's spans, where the application names one.
        correlation: which arguments become attributes.
    """

    name = NAME
    w3c_is_native = True

    def __init__(
        self,
        own: Providers | None = None,
        service_name: str | None = None,
        correlation: Correlation | None = None,
    ) -> None:
        self.correlation = correlation
        self.wants_queues = own is None or own.metrics is not None
        # Nobody but RRQ has a hand in an SDK that was set up here: a span is made in microseconds.
        self.records_at_once = own is not None
        self._own = own
        self.service_name = service_name
        self._tracing = Tracing(own.traces) if own else Tracing()
        self._metrics = Metrics(own.metrics if own else None)
        self._attempts = Later(self._make_span, self._metrics.attempt)
        self._job_spans: JobSpans | None = None
        self._execution_spans: ExecutionSpans | None = None

    # -- any process ----------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether nobody has configured OpenTelemetry yet."""
        return self._own is None and self._tracing.tracer() is None and not self._metrics.is_ready()

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        """The span `rrq.enqueue`."""
        self._metrics.enqueued(job)
        tracer = self._tracing.tracer()
        if tracer is None:
            return nullcontext()
        from rrq_otel.producing import EnqueueSpan

        return EnqueueSpan(tracer, job, self.service_name)

    # -- worker ---------------------------------------------------------------------------

    def carry(self, job: StartedJob) -> Mapping[str, str]:
        """The headers of the span `rrq.job`."""
        spans = self._spans_of_jobs()
        return spans.headers(job) if spans else {}

    def attempt(self, attempt: Attempt) -> None:
        """The span `rrq.job`, and its figures."""
        self._attempts.put(attempt)

    def heartbeat(self, gauges: WorkerGauges) -> None:
        """The worker's gauges."""
        self._metrics.measured(gauges)

    def worker_stopped(self, worker_id: str) -> None:
        """No more gauges of this worker."""
        self._metrics.stopped(worker_id)

    def log_fields(self, job: StartedJob, carried: Mapping[str, str]) -> Mapping[str, str]:
        """The ids of the span `rrq.job`, for the worker's log."""
        from rrq_otel.carrier import carrier

        span = carrier().told_in(carried)
        if span is None:
            return {}
        return {"trace_id": span[3:35], "span_id": span[36:52], "trace_flags": span[53:]}

    # -- executor -------------------------------------------------------------------------

    def execution(self, job: RunningJob) -> AbstractContextManager[None]:
        """The span `rrq.executor`."""
        spans = self._execution_spans
        if spans is None or self._own is None:
            spans = self._spans_of_executions()
        return spans.around(job) if spans is not None else nullcontext()

    def flush(self, timeout_seconds: float) -> None:
        """Send what is held: of the providers set up here, or of the application's."""
        self._attempts.do()
        if self._own is not None:
            self._own.flush(timeout_seconds)
            return
        from rrq_otel.tracing import application_provider

        provider: Any = application_provider()
        if hasattr(provider, "force_flush"):
            provider.force_flush(int(timeout_seconds * 1000))

    def _make_span(self, attempt: Attempt) -> None:
        spans = self._spans_of_jobs()
        if spans:
            spans.record(attempt)

    def _spans_of_executions(self) -> ExecutionSpans | None:
        tracer = self._tracing.tracer()
        if tracer is None:
            return None
        spans = self._execution_spans
        if spans is None or spans.tracer is not tracer:
            from rrq_otel.executing import ExecutionSpans

            spans = self._execution_spans = ExecutionSpans(tracer, scope(), self.service_name)
        return spans

    def _spans_of_jobs(self) -> JobSpans | None:
        if self._own is not None and self._job_spans is not None:
            return self._job_spans
        tracer = self._tracing.tracer()
        if tracer is None:
            return None
        spans = self._job_spans
        if spans is None or spans.tracer is not tracer:
            from opentelemetry.sdk.trace import Tracer as SdkTracer

            from rrq_otel.job_spans import JobSpans

            if not isinstance(tracer, SdkTracer):
                # The span's id must be chosen before it is made, which only the SDK allows.
                return None
            spans = self._job_spans = JobSpans(NAME, tracer, scope(), self.service_name)
        return spans
