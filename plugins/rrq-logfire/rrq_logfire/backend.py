"""`LogfireTelemetry`: Logfire as RRQ's kernel knows a backend.

Logfire is built on OpenTelemetry: what is made here are its spans, with what Logfire adds to
them, through its own tracer, processors and scrubber. A process in which nobody has configured
it pays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rrq.telemetry import Attempt, EnqueuedJob, RunningJob, StartedJob, Telemetry
from rrq_logfire.tracing import Tracing

if TYPE_CHECKING:
    from logfire import Logfire

    from rrq.telemetry.correlation import Correlation
    from rrq_logfire.job_spans import JobSpans

NAME = "logfire"


class LogfireTelemetry(Telemetry):
    """Spans through Logfire.

    Args:
        instance: what `logfire.configure(local=True)` returned; None takes the global one, as
            soon as it is configured.
        service_name: for an attribute of RRQ's spans, where the application names one.
        correlation: which arguments become attributes.
    """

    name = NAME
    w3c_is_native = True

    def __init__(
        self,
        instance: Logfire | None = None,
        service_name: str | None = None,
        correlation: Correlation | None = None,
    ) -> None:
        self.service_name = service_name
        self.correlation = correlation
        self._tracing = Tracing(instance)
        self._job_spans: JobSpans | None = None

    # -- any process ----------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether nobody has configured Logfire yet."""
        return self._tracing.sdk_tracer() is None

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        """The span `rrq.enqueue`."""
        tracer = self._tracing.tracer()
        if tracer is None:
            return nullcontext()
        from rrq_logfire.producing import EnqueueSpan

        return EnqueueSpan(tracer, job, self.service_name)

    # -- worker ---------------------------------------------------------------------------

    def carry(self, job: StartedJob) -> Mapping[str, str]:
        """The headers of the span `rrq.job`."""
        spans = self._spans_of_jobs()
        return spans.headers(job) if spans else {}

    def attempt(self, attempt: Attempt) -> None:
        """The span `rrq.job`."""
        spans = self._spans_of_jobs()
        if spans:
            spans.record(attempt)

    def log_fields(self, job: StartedJob, carried: Mapping[str, str]) -> Mapping[str, str]:
        """The ids of the span `rrq.job`, for the worker's log."""
        if not carried:
            return {}
        from rrq_logfire import carrier

        span = carrier.parent_in(carried)
        if span is None:
            return {}
        return {
            "trace_id": f"{span.trace_id:032x}",
            "span_id": f"{span.span_id:016x}",
            "trace_flags": f"{span.trace_flags:02x}",
        }

    # -- executor -------------------------------------------------------------------------

    def execution(self, job: RunningJob) -> AbstractContextManager[None]:
        """The span `rrq.executor`."""
        tracer = self._tracing.tracer()
        if tracer is None:
            return nullcontext()
        from rrq_logfire.executing import ExecutionSpan

        return ExecutionSpan(tracer, job, self.service_name)

    def flush(self, timeout_seconds: float) -> None:
        """Send what is held. It may take longer: OpenTelemetry's SDK does not keep to the time."""
        self._tracing.flush(timeout_seconds)

    def _spans_of_jobs(self) -> JobSpans | None:
        tracer = self._tracing.sdk_tracer()
        if tracer is None:
            return None
        if self._job_spans is None or self._job_spans.tracer is not tracer:
            from rrq_logfire.job_spans import JobSpans

            self._job_spans = JobSpans(NAME, tracer, self.service_name)
        return self._job_spans
