"""`JobSpans`: the span `rrq.job` of each attempt, made when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from rrq.telemetry import identity
from rrq.telemetry.identity import is_sampled
from rrq_otel import semantics
from rrq_otel.carrier import carrier, span_context
from rrq_otel.lean_span import LeanSpan, Pattern, Patterns, name_of_figure
from rrq_otel.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import Tracer
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import TraceState

    from rrq.telemetry import Attempt, FinishedJob, StartedJob

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
        self.tracer = tracer
        self.scope = scope
        self.resource = tracer.resource
        self.patterns = Patterns(self._pattern)
        self._backend = backend
        self._sampling = Sampling(tracer.sampler)
        self._processor = tracer.span_processor
        self._service_name = service_name

    def headers(self, job: StartedJob) -> Mapping[str, str]:
        """What the executor is told of the attempt's span."""
        way = carrier()
        parent, state = way.parent_in(job.trace_context)
        return way.headers_for(self._begun(job, parent, state), job.trace_context)

    def record(self, attempt: Attempt) -> None:
        """Make the span of an attempt, if it is sampled."""
        job = attempt.started
        own, parent, state = carrier().spans_in(job.trace_context, attempt.carried)
        if own is None:
            own = self._begun(job, parent, state)
        if not is_sampled(own):
            return
        batches = getattr(self._processor, "batches", None)
        if batches is not None and state is None:
            written = self.ordinary(attempt, own, parent)
            if written is not None:
                batches.take(written)
                return
        self._processor.on_end(JobSpan(self, attempt, own, parent, state))

    def ordinary(self, attempt: Attempt, own: str, parent: str | None) -> bytes | None:
        """The span as OTLP has it, of an attempt that succeeded and is the first of its job; None
        of others, in which there is more to tell."""
        job, finished = attempt.started, attempt.finished
        if finished.outcome != "success" or job.previous_lease_token is not None:
            return None
        return self.pattern_of(attempt).encoded(
            own,
            parent[36:52] if parent else "",
            job.started_ns,
            finished.ended_ns,
            job.job_id,
            attempt.attributes,
            _DELAY,
            round(job.queue_delay_ms, 3),
            _DURATION,
            round(finished.duration_ms, 3),
        )

    def pattern_of(self, attempt: Attempt) -> Pattern:
        """What the span has in common with others."""
        job, finished = attempt.started, attempt.finished
        return self.patterns.get(
            job.queue_name,
            job.function_name,
            job.executor_name,
            job.worker_id,
            job.attempt,
            job.timeout_seconds,
            finished.outcome,
            finished.reason,
        )

    def span_before(self, job: StartedJob, own: str) -> str | None:
        """The span of the run before, which is of the same trace; None if there was none."""
        if job.previous_lease_token is None:
            return None
        span_id = identity.span_id_text(self._backend, job.job_id, job.previous_lease_token)
        return own[:36] + span_id + own[52:]

    def _begun(self, job: StartedJob, parent: str | None, state: TraceState | None) -> str:
        """The attempt's span, by what is known when it begins."""
        span_id = identity.span_id_text(self._backend, job.job_id, job.lease_token)
        if parent is not None and self._sampling.follows_parent:
            return parent[:36] + span_id + ("-01" if is_sampled(parent) else "-00")
        trace_id = int(parent[3:35], 16) if parent else identity.trace_id(job)
        sampled = self._sampling.is_sampled(
            parent, state, trace_id, semantics.JOB, SpanKind.CONSUMER
        )
        return f"00-{trace_id:032x}-{span_id}-0{sampled:d}"

    def _pattern(
        self,
        queue_name: str,
        function_name: str,
        executor_name: str,
        worker_id: str,
        attempt: int,
        timeout_seconds: float,
        outcome: str,
        reason: str | None,
    ) -> Pattern:
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
        return Pattern(semantics.JOB, SpanKind.CONSUMER, attributes, _FIGURES)


class JobSpan(LeanSpan):
    """The span of an attempt that has ended.

    Args:
        own, parent: the ids, as a `plain_traceparent` each.
    """

    def __init__(
        self,
        spans: JobSpans,
        attempt: Attempt,
        own: str,
        parent: str | None,
        state: TraceState | None,
    ) -> None:
        self._resource = spans.resource
        self._instrumentation_scope = spans.scope
        self._spans = spans
        self._attempt = attempt
        self._own = own
        self._above = parent
        self._state = state

    def encoded(self) -> bytes | None:
        """Only of an ordinary attempt in a trace without a state."""
        if self._state is not None:
            return None
        return self._spans.ordinary(self._attempt, self._own, self._above)

    def _whole(self) -> ReadableSpan:
        job, finished = self._attempt.started, self._attempt.finished
        pattern = self._spans.pattern_of(self._attempt)
        before = self._spans.span_before(job, self._own)
        links = []
        if before is not None:
            context = span_context(before, None, is_remote=True)
            links.append(Link(context, {"rrq.link": "previous_attempt"}))
        return ReadableSpan(
            pattern.name,
            context=span_context(self._own, self._state, is_remote=False),
            parent=span_context(self._above, self._state, is_remote=True) if self._above else None,
            resource=self._resource,
            attributes={
                **pattern.attributes,
                **self._attempt.attributes,
                **semantics.identity(job.job_id),
                **_figures(job, finished),
            },
            events=_events(finished),
            links=links,
            kind=pattern.kind,
            status=_status(finished),
            start_time=job.started_ns,
            end_time=finished.ended_ns,
            instrumentation_scope=self._instrumentation_scope,
        )


def _figures(job: StartedJob, finished: FinishedJob) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "rrq.queue_delay_ms": round(job.queue_delay_ms, 3),
        "rrq.duration_ms": round(finished.duration_ms, 3),
    }
    if finished.retry_delay_ms is not None:
        figures["rrq.retry_delay_ms"] = round(finished.retry_delay_ms, 3)
    if finished.outcome != "success" and finished.error_message is not None:
        figures["rrq.error_message"] = semantics.short(finished.error_message)
    if finished.outcome != "success" and finished.error_type:
        figures["error.type"] = finished.error_type
    return figures


def _status(finished: FinishedJob) -> Status:
    """An attempt that asked for a retry, or was cancelled or released, is no error."""
    is_asked_for = finished.outcome == "retry" and finished.reason == "retry"
    if is_asked_for or finished.outcome in ("success", "cancelled", "released"):
        return _UNSET
    if finished.error_message is None:
        return Status(StatusCode.ERROR)
    return Status(StatusCode.ERROR, semantics.short(finished.error_message))


def _events(finished: FinishedJob) -> tuple[Event, ...]:
    if finished.outcome == "success":
        return ()
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


_FIGURES = ("rrq.queue_delay_ms", "rrq.duration_ms")
_DELAY, _DURATION = map(name_of_figure, _FIGURES)
