"""`DatadogTelemetry`: ddtrace as RRQ's kernel knows a backend.

ddtrace is imported when there is something to do with it: a process that is not traced by Datadog
pays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from rrq.telemetry import Attempt, EnqueuedJob, RunningJob, StartedJob, Telemetry

if TYPE_CHECKING:
    from rrq.telemetry.correlation import Correlation
    from rrq_ddtrace.job_spans import JobSpans
    from rrq_ddtrace.semantics import Identity
    from rrq_ddtrace.tracing import Tracing

NAME = "ddtrace"


class DatadogTelemetry(Telemetry):
    """Spans through ddtrace.

    Args:
        tracing: says whether the process is traced.
        identity: under which names RRQ's spans appear.
        correlation: which arguments become tags.
    """

    name = NAME

    def __init__(
        self, tracing: Tracing, identity: Identity, correlation: Correlation | None = None
    ) -> None:
        self.identity = identity
        self.correlation = correlation
        self._tracing = tracing
        self._job_spans: JobSpans | None = None

    # -- any process ----------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether this process is not traced, or not yet."""
        return self._tracing.tracer() is None

    def enqueue(self, job: EnqueuedJob) -> AbstractContextManager[None]:
        """The span `rrq.enqueue`."""
        tracer = self._tracing.tracer()
        if tracer is None:
            return nullcontext()
        from rrq_ddtrace.producing import EnqueueSpan

        return EnqueueSpan(tracer, self.identity, job)

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
        """The ids of the span `rrq.job`, by the names that Datadog's log pages look for."""
        spans = self._spans_of_jobs()
        if spans is None:
            return {}
        trace_id, span_id = spans.ids(job, carried)
        tags = self.identity.tags()
        fields = {
            "dd.trace_id": f"{trace_id:032x}",
            "dd.span_id": str(span_id),
            "dd.service": self.identity.effective_service(),
            "dd.env": tags.get("env"),
            "dd.version": tags.get("version"),
        }
        return {name: text for name, text in fields.items() if text}

    # -- executor -------------------------------------------------------------------------

    def execution(self, job: RunningJob) -> AbstractContextManager[None]:
        """The span `rrq.executor`."""
        tracer = self._tracing.tracer()
        if tracer is None:
            return nullcontext()
        from rrq_ddtrace.executing import ExecutionSpan

        return ExecutionSpan(tracer, self.identity, job)

    def flush(self, timeout_seconds: float) -> None:
        """Send what is held."""
        tracer: Any = self._tracing.tracer()
        if tracer is None:
            return
        if self._tracing.is_at_end_when_flushed:
            # That waits for what is being sent already, too.
            tracer.shutdown(timeout_seconds)
        else:
            tracer.flush()

    def _spans_of_jobs(self) -> JobSpans | None:
        tracer = self._tracing.tracer()
        if tracer is None:
            return None
        if self._job_spans is None or self._job_spans.tracer is not tracer:
            from rrq_ddtrace.job_spans import JobSpans

            self._job_spans = JobSpans(NAME, tracer, self.identity)
        return self._job_spans
