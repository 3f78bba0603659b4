"""`JobSpans`: the span `rrq.job` of each attempt, made when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from rrq.telemetry import identity
from rrq.telemetry.identity import TraceParent
from rrq_otel import carrier, semantics
from rrq_otel.lean_span import KeptAttributes, LeanSpan
from rrq_otel.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import Tracer

    from rrq.telemetry import Attempt, FinishedJob, StartedJob

_FAILED = Status(StatusCode.ERROR)
_UNSET = Status()

_EVENTS = {
    "retry": "rrq.retry",
    "dlq": "rrq.dead_letter",
    "timeout": "rrq.timeout",
    "cancelled": "rrq.cancel",
    "lost": "rrq.lost",
    "released": "rrq.release",
}


class JobSpans:
    """Spans of attempts, handed to the processors of a tracer.

    Args:
        backend: the name in which span ids are derived.
        tracer: of OpenTelemetry's SDK.
        scope: what the spans say of their maker.
        service_name: an attribute of its own, where the application asked for it.
    """

    def __init__(
        self,
        backend: str,
        tracer: Tracer,
        scope: InstrumentationScope,
        service_name: str | None = None,
    ) -> None:
        self._backend = backend
        self._sampling = Sampling(tracer.sampler)
        self._processor = tracer.span_processor
        self._resource = tracer.resource
        self._scope = scope
        self._service_name = service_name
        self._kept = KeptAttributes(self._attributes)

    def headers(self, job: StartedJob) -> Mapping[str, str]:
        """What the executor is told of the attempt's span."""
        if self._sampling.follows_parent and carrier.is_w3c():
            parent = TraceParent.parsed(job.trace_context.get("traceparent"))
            if parent is not None:
                span_id = identity.span_id(self._backend, job.job_id, job.lease_token)
                flags = parent.flags & TraceFlags.SAMPLED
                return {"traceparent": str(TraceParent(parent.trace_id, span_id, flags))}
        _, own = self._spans_of(job)
        return carrier.headers_for(own, job.trace_context)

    def record(self, attempt: Attempt) -> None:
        """Make the span of an attempt, if it is sampled."""
        job, finished = attempt.started, attempt.finished
        parent = carrier.parent_in(job.trace_context)
        own = carrier.span_told(attempt.carried, parent) if attempt.carried else None
        if own is None:
            parent, own = self._spans_of(job)
        if not own.trace_flags & TraceFlags.SAMPLED:
            return
        passing: dict[str, Any] = {
            **attempt.attributes,
            "messaging.message.id": job.job_id,
            "rrq.job_id": job.job_id,
            "rrq.queue_delay_ms": round(job.queue_delay_ms, 3),
            "rrq.duration_ms": round(finished.duration_ms, 3),
        }
        events: tuple[Event, ...] = ()
        status = _UNSET
        if finished.outcome != "success":
            events = _events(finished)
            status = _status(finished)
            if finished.retry_delay_ms is not None:
                passing["rrq.retry_delay_ms"] = round(finished.retry_delay_ms, 3)
            if finished.error_message is not None:
                passing["rrq.error_message"] = semantics.short(finished.error_message)
            if finished.error_type:
                passing["error.type"] = finished.error_type
        self._processor.on_end(
            LeanSpan(
                semantics.JOB,
                context=own,
                parent=parent,
                resource=self._resource,
                scope=self._scope,
                kind=SpanKind.CONSUMER,
                kept=self._kept.get(
                    job.queue_name,
                    job.function_name,
                    job.executor_name,
                    job.worker_id,
                    job.attempt,
                    job.timeout_seconds,
                    finished.outcome,
                    finished.reason,
                ),
                passing=passing,
                events=events,
                links=self._links(job, own),
                status=status,
                start_ns=job.started_ns,
                end_ns=finished.ended_ns,
            )
        )

    def _spans_of(self, job: StartedJob) -> tuple[SpanContext | None, SpanContext]:
        """The producer's span, if there is one, and the attempt's."""
        parent = carrier.parent_in(job.trace_context)
        trace_id = parent.trace_id if parent else identity.trace_id(job)
        flags = self._sampling.flags(parent, trace_id, semantics.JOB, SpanKind.CONSUMER)
        own = SpanContext(
            trace_id,
            identity.span_id(self._backend, job.job_id, job.lease_token),
            False,
            TraceFlags(flags),
            parent.trace_state if parent else _NO_STATE,
        )
        return parent, own

    def _links(self, job: StartedJob, own: SpanContext) -> tuple[Link, ...]:
        if job.previous_lease_token is None:
            return ()
        before = SpanContext(
            own.trace_id,
            identity.span_id(self._backend, job.job_id, job.previous_lease_token),
            True,
            own.trace_flags,
        )
        return (Link(before, {"rrq.link": "previous_attempt"}),)

    def _attributes(
        self,
        queue_name: str,
        function_name: str,
        executor_name: str,
        worker_id: str,
        attempt: int,
        timeout_seconds: float,
        outcome: str,
        reason: str | None,
    ) -> dict[str, Any]:
        attributes = semantics.messaging("process", queue_name, "consumer", self._service_name)
        attributes |= {
            "rrq.function": function_name,
            "rrq.worker_id": worker_id,
            "rrq.attempt": attempt,
            "rrq.timeout_seconds": timeout_seconds,
            "rrq.outcome": outcome,
        }
        if executor_name:
            attributes["rrq.executor"] = executor_name
        if reason:
            attributes["rrq.reason"] = reason
        return attributes


def _status(finished: FinishedJob) -> Status:
    """An attempt that asked for a retry, or was cancelled or released, is no error."""
    is_asked_for = finished.outcome == "retry" and finished.reason == "retry"
    if is_asked_for or finished.outcome in ("cancelled", "released"):
        return _UNSET
    if finished.error_message is None:
        return _FAILED
    return Status(StatusCode.ERROR, semantics.short(finished.error_message))


def _events(finished: FinishedJob) -> tuple[Event, ...]:
    at_ns = finished.ended_ns
    told: dict[str, Any] = {}
    if finished.reason:
        told["rrq.reason"] = finished.reason
    if finished.retry_delay_ms is not None:
        told["rrq.retry_delay_ms"] = round(finished.retry_delay_ms, 3)
    events = []
    if finished.error_message is not None and finished.reason != "retry":
        exception = {
            "exception.type": finished.error_type or _KINDS_OF_ERROR.get(finished.outcome, "Error"),
            "exception.message": semantics.short(finished.error_message),
        }
        events.append(Event("exception", exception, at_ns))
    events.append(Event(_EVENTS[finished.outcome], told, at_ns))
    if finished.is_dead_lettered and finished.outcome != "dlq":
        events.append(Event(_EVENTS["dlq"], told, at_ns))
    return tuple(events)


_KINDS_OF_ERROR = {"timeout": "Timeout", "lost": "ExecutorLost"}
_NO_STATE = TraceState()
