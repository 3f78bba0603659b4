"""`ExecutionSpan`: the span `rrq.executor` around a handler, current while the handler runs."""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import NonRecordingSpan, SpanKind, Status, StatusCode

from rrq.exc import RetryJob
from rrq.telemetry.identity import is_sampled
from rrq_otel import semantics
from rrq_otel.carrier import Carrier, carrier, span_context
from rrq_otel.handler_span import HandlerSpan
from rrq_otel.lean_span import Pattern, Patterns
from rrq_otel.sampling import Sampling

if TYPE_CHECKING:
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Span
    from opentelemetry.trace import Tracer as AnyTracer

    from rrq.telemetry import Outcome, RunningJob


class ExecutionSpans:
    """Makes the spans of one tracer: quick ones if it is of OpenTelemetry's own SDK and its sampler
    only follows the parent, else those that the tracer makes.

    Attributes:
        around: makes the block around the handler of a job.
    """

    def __init__(
        self, tracer: AnyTracer, scope: InstrumentationScope, service_name: str | None
    ) -> None:
        self.tracer: Any = tracer
        self.scope = scope
        self.patterns = Patterns(self._pattern)
        self.around = partial(ExecutionSpan, self)
        self._service_name = service_name
        self._is_quick = isinstance(tracer, Tracer) and Sampling(tracer.sampler).follows_parent
        if isinstance(tracer, Tracer):
            self.resource = tracer.resource
            self.processor = tracer.span_processor
            self.limits = tracer._span_limits
            self.new_span_id = tracer.id_generator.generate_span_id

    def start(self, job: RunningJob, way: Carrier) -> Span:
        """The span of a job, child of what the orchestrator said."""
        headers = job.trace_context
        parent, state = way.parent_in(headers)
        if parent is None or not self._is_quick:
            return self._start_by_tracer(job, way)
        if not is_sampled(parent):
            own = f"{parent[:36]}{self.new_span_id():016x}{parent[52:]}"
            return NonRecordingSpan(span_context(own, state, is_remote=False))
        span: HandlerSpan = HandlerSpan(self, job, parent, state)
        if getattr(self.processor, "watches_starts", True):
            self.processor.on_start(span, parent_context=way.context_in(headers))
        return span

    def end(self, span: Span, outcome: Outcome, error: BaseException | None) -> None:
        """End a span as the handler ended."""
        if isinstance(span, HandlerSpan):
            span.outcome = outcome
        else:
            span.set_attribute("rrq.outcome", outcome)
        if error is not None and outcome in ("error", "timeout"):
            span.set_attribute("error.type", type(error).__qualname__)
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, semantics.short(str(error) or outcome)))
        elif outcome in ("retry", "cancelled"):
            told = {"rrq.reason": semantics.short(str(error))} if str(error) else {}
            span.add_event("rrq.retry" if outcome == "retry" else "rrq.cancel", told)
        span.end()

    def _start_by_tracer(self, job: RunningJob, way: Carrier) -> Span:
        pattern = self.patterns.get(job.queue_name, job.function_name, job.worker_id, job.attempt)
        attributes = {**pattern.attributes, **job.attributes, **semantics.identity(job.job_id)}
        context = way.context_in(job.trace_context)
        span: Span = self.tracer.start_span(
            semantics.EXECUTOR, context, SpanKind.INTERNAL, attributes
        )
        return span

    def _pattern(
        self,
        queue_name: str,
        function_name: str,
        worker_id: str | None,
        attempt: int,
        outcome: Outcome | None = None,
    ) -> Pattern:
        attributes = semantics.messaging("process", queue_name, "internal", self._service_name)
        attributes |= {"rrq.function": function_name, "rrq.attempt": attempt}
        if worker_id:
            attributes["rrq.worker_id"] = worker_id
        if outcome:
            attributes["rrq.outcome"] = outcome
        return Pattern(semantics.EXECUTOR, SpanKind.INTERNAL, attributes)


class ExecutionSpan:
    """The block around one handler."""

    __slots__ = ("_job", "_span", "_spans", "_token")

    def __init__(self, spans: ExecutionSpans, job: RunningJob) -> None:
        self._spans = spans
        self._job = job

    def __enter__(self) -> None:
        job, way = self._job, carrier()
        self._span = self._spans.start(job, way)
        self._token = contexts.attach(way.context_with(self._span, job.trace_context))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        contexts.detach(self._token)
        is_success = error is None and self._job.stopped_by is None
        self._spans.end(self._span, "success" if is_success else self._outcome(error), error)

    def _outcome(self, error: BaseException | None) -> Outcome:
        if self._job.stopped_by is not None:
            return "timeout" if self._job.stopped_by == "deadline" else "cancelled"
        if error is None:
            return "success"
        if isinstance(error, RetryJob):
            return "retry"
        return "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
