"""`JobSpans`: the span `rrq.job` of each attempt, made when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Span
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from rrq import __version__
from rrq.telemetry import identity
from rrq_logfire import carrier, semantics
from rrq_logfire.tracing import SCOPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import Tracer

    from rrq.telemetry import Attempt, FinishedJob, StartedJob

_TYPE = "logfire.span_type"
"""Of a span that begins, Logfire at once sends a second one, which says that it is pending: as it
has ended already, it begins as what has no such."""

_EVENTS = {
    "retry": "rrq.retry",
    "dlq": "rrq.dead_letter",
    "timeout": "rrq.timeout",
    "error": "rrq.dead_letter",
    "cancelled": "rrq.cancel",
    "lost": "rrq.lost",
    "released": "rrq.release",
}
_LEVELS: dict[str, semantics.Level] = {
    "dlq": "error",
    "timeout": "error",
    "error": "error",
    "retry": "warn",
    "lost": "warn",
    "cancelled": "warn",
}
_KINDS_OF_ERROR = {"timeout": "Timeout", "lost": "ExecutorLost"}


class JobSpans:
    """Spans of attempts, which go the way of all spans of Logfire: through its scrubber.

    Args:
        backend: the name in which span ids are derived.
        tracer: of OpenTelemetry's SDK, as Logfire has set it up.
        service_name: an attribute of its own, where the application asked for it.
    """

    def __init__(self, backend: str, tracer: Tracer, service_name: str | None = None) -> None:
        self.tracer = tracer
        self._backend = backend
        self._scope = InstrumentationScope(SCOPE, __version__)
        self._service_name = service_name

    def headers(self, job: StartedJob) -> Mapping[str, str]:
        """What the executor is told of the attempt's span."""
        return carrier.headers_for(self._span_of(job, carrier.parent_in(job.trace_context)), {})

    def record(self, attempt: Attempt) -> None:
        """Make the span of an attempt, if it is sampled."""
        job, finished = attempt.started, attempt.finished
        parent = carrier.parent_in(job.trace_context)
        own = carrier.parent_in(attempt.carried) or self._span_of(job, parent)
        if not own.trace_flags & TraceFlags.SAMPLED:
            return
        span = _SpanOfKnownId(
            name=semantics.JOB,
            context=SpanContext(own.trace_id, own.span_id, False, own.trace_flags, own.trace_state),
            parent=parent,
            sampler=self.tracer.sampler,
            resource=self.tracer.resource,
            attributes=self._attributes(attempt),
            links=self._links(job, own),
            kind=SpanKind.CONSUMER,
            span_processor=self.tracer.span_processor,
            instrumentation_scope=self._scope,
        )
        span.start(job.started_ns, carrier.context_in(job.trace_context))
        span.set_attribute(_TYPE, "span")
        _tell_outcome(span, finished)
        span.end(finished.ended_ns)

    def _span_of(self, job: StartedJob, parent: SpanContext | None) -> SpanContext:
        trace_id = parent.trace_id if parent else identity.trace_id(job)
        context = set_span_in_context(NonRecordingSpan(parent)) if parent else None
        sampled = self.tracer.sampler.should_sample(
            context, trace_id, semantics.JOB, SpanKind.CONSUMER
        )
        return SpanContext(
            trace_id,
            identity.span_id(self._backend, job.job_id, job.lease_token),
            False,
            TraceFlags(TraceFlags.SAMPLED if sampled.decision is Decision.RECORD_AND_SAMPLE else 0),
            parent.trace_state if parent else TraceState(),
        )

    def _links(self, job: StartedJob, own: SpanContext) -> tuple[Link, ...]:
        if job.previous_lease_token is None:
            return ()
        span_id = identity.span_id(self._backend, job.job_id, job.previous_lease_token)
        before = SpanContext(own.trace_id, span_id, True, own.trace_flags)
        return (Link(before, {"rrq.link": "previous_attempt"}),)

    def _attributes(self, attempt: Attempt) -> dict[str, Any]:
        job, finished = attempt.started, attempt.finished
        optional = {
            "rrq.executor": job.executor_name or None,
            "rrq.reason": finished.reason or None,
            "rrq.error_message": _short(finished.error_message),
            "error.type": finished.error_type or None,
            "rrq.retry_delay_ms": _rounded(finished.retry_delay_ms),
        }
        return {
            **semantics.messaging("process", job.queue_name, "consumer", self._service_name),
            **semantics.identity(job.job_id),
            **attempt.attributes,
            **semantics.message(semantics.JOB, job.function_name),
            "rrq.worker_id": job.worker_id,
            "rrq.attempt": job.attempt,
            "rrq.timeout_seconds": job.timeout_seconds,
            "rrq.queue_delay_ms": _rounded(job.queue_delay_ms),
            "rrq.duration_ms": _rounded(finished.duration_ms),
            "rrq.outcome": finished.outcome,
            _TYPE: "log",
            **{name: value for name, value in optional.items() if value is not None},
        }


class _SpanOfKnownId(Span):
    """A span of the SDK whose id was chosen before: no tracer makes one, and the SDK lets nobody
    else make its own class."""


def _tell_outcome(span: Span, finished: FinishedJob) -> None:
    if finished.outcome == "success":
        return
    told: dict[str, Any] = {}
    if finished.reason:
        told["rrq.reason"] = finished.reason
    if finished.retry_delay_ms is not None:
        told["rrq.retry_delay_ms"] = _rounded(finished.retry_delay_ms)
    at_ns, text = finished.ended_ns, _short(finished.error_message)
    level = "error" if finished.is_dead_lettered else _LEVELS.get(finished.outcome, "info")
    kind = finished.error_type or _KINDS_OF_ERROR.get(finished.outcome, "Error")
    if text is not None and finished.reason != "retry":
        exception = {"exception.type": kind, "exception.message": text}
        span.add_event("exception", exception, at_ns)
    span.add_event(_EVENTS[finished.outcome], told, at_ns)
    if finished.is_dead_lettered and _EVENTS[finished.outcome] != _EVENTS["dlq"]:
        span.add_event(_EVENTS["dlq"], told, at_ns)
    span.set_attributes(semantics.level(level))
    if level == "error":
        # As Logfire writes it for an exception.
        span.set_status(Status(StatusCode.ERROR, f"{kind}: {text}" if text else None))


def _short(text: str | None) -> str | None:
    return None if text is None else semantics.short(text)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
