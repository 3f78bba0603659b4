"""`ExecutionSpan`: the span `rrq.executor` around a handler, current while the handler runs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, Tracer
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from rrq.exc import RetryJob
from rrq_otel import carrier, semantics
from rrq_otel.lean_span import KeptAttributes, LeanSpan
from rrq_otel.sampling import Sampling

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer as AnyTracer

    from rrq.telemetry import Outcome, RunningJob


class ExecutionSpans:
    """Makes the spans of one tracer.

    With OpenTelemetry's own SDK, what recurs from job to job is left out of the span while it
    runs, and joins it when it has ended: to check and copy it each time would cost as much as
    all the rest. Such a span has every method that handlers may call.
    """

    def __init__(
        self, tracer: AnyTracer, scope: InstrumentationScope, service_name: str | None
    ) -> None:
        self.tracer = tracer
        self._service_name = service_name
        self._scope = scope
        self._sampling = Sampling(tracer.sampler) if isinstance(tracer, Tracer) else None
        self._kept = KeptAttributes(self._attributes)

    def start(self, job: RunningJob, context: Context, parent: SpanContext | None) -> trace.Span:
        """The span of a job, child of what the orchestrator said."""
        own = {**job.attributes, **semantics.identity(job.job_id)}
        sampling = self._sampling
        if (
            sampling is not None
            and sampling.follows_parent
            and parent is not None
            and parent.trace_flags & TraceFlags.SAMPLED
        ):
            return _LeanRunningSpan(self, job, context, parent, own)
        return self.tracer.start_span(
            semantics.EXECUTOR,
            context,
            SpanKind.INTERNAL,
            {
                **self._attributes(job.queue_name, job.function_name, job.worker_id, job.attempt),
                **own,
            },
        )

    def end(self, span: trace.Span, outcome: Outcome, error: BaseException | None) -> None:
        """End a span as the handler ended."""
        if isinstance(span, _LeanRunningSpan):
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

    def _attributes(
        self,
        queue_name: str,
        function_name: str,
        worker_id: str | None,
        attempt: int,
        outcome: Outcome | None = None,
    ) -> dict[str, Any]:
        attributes = semantics.messaging("process", queue_name, "internal", self._service_name)
        attributes |= {"rrq.function": function_name, "rrq.attempt": attempt}
        if worker_id:
            attributes["rrq.worker_id"] = worker_id
        if outcome:
            attributes["rrq.outcome"] = outcome
        return attributes


class ExecutionSpan:
    """The block around one handler."""

    __slots__ = ("_job", "_span", "_spans", "_token")

    def __init__(self, spans: ExecutionSpans, job: RunningJob) -> None:
        self._spans = spans
        self._job = job

    def __enter__(self) -> None:
        context, parent = carrier.context_in(self._job.trace_context)
        self._span = self._spans.start(self._job, context, parent)
        self._token = contexts.attach(trace.set_span_in_context(self._span, context))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        contexts.detach(self._token)
        self._spans.end(self._span, self._outcome(error), error)

    def _outcome(self, error: BaseException | None) -> Outcome:
        if self._job.stopped_by is not None:
            return "timeout" if self._job.stopped_by == "deadline" else "cancelled"
        if error is None:
            return "success"
        if isinstance(error, RetryJob):
            return "retry"
        return "cancelled" if isinstance(error, asyncio.CancelledError) else "error"


class _LeanRunningSpan(Span):
    """A span of the SDK, without the attributes that it shares with others until it ends."""

    def __init__(
        self,
        spans: ExecutionSpans,
        job: RunningJob,
        context: Context,
        parent: SpanContext,
        attributes: dict[str, Any],
    ) -> None:
        tracer = spans.tracer
        assert isinstance(tracer, Tracer)
        self.outcome: Outcome | None = None
        super().__init__(
            name=semantics.EXECUTOR,
            context=SpanContext(
                parent.trace_id,
                tracer.id_generator.generate_span_id(),
                False,
                parent.trace_flags,
                parent.trace_state,
            ),
            parent=parent,
            sampler=tracer.sampler,
            resource=tracer.resource,
            kind=SpanKind.INTERNAL,
            span_processor=_Completing(tracer.span_processor, spans, job, attributes, self),
            instrumentation_scope=spans._scope,
        )
        self.start(parent_context=context)


class _Completing(SpanProcessor):
    """Gives an ended span the attributes that it did without, and passes it on."""

    def __init__(
        self,
        onward: SpanProcessor,
        spans: ExecutionSpans,
        job: RunningJob,
        attributes: dict[str, Any],
        running: _LeanRunningSpan,
    ) -> None:
        self._running = running
        self._onward = onward
        self._spans = spans
        self._job = job
        self._attributes = attributes

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._onward.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        job = self._job
        set_by_handler = span.attributes
        self._onward.on_end(
            LeanSpan(
                span.name,
                context=span.context,
                parent=span.parent,
                resource=span.resource,
                scope=self._spans._scope,
                kind=span.kind,
                kept=self._spans._kept.get(
                    job.queue_name,
                    job.function_name,
                    job.worker_id,
                    job.attempt,
                    self._running.outcome,
                ),
                passing={**self._attributes, **(set_by_handler or {})},
                events=span.events,
                links=span.links,
                status=span.status,
                start_ns=span.start_time or 0,
                end_ns=span.end_time or 0,
            )
        )
