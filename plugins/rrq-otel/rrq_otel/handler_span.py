"""`HandlerSpan`: a span of OpenTelemetry's SDK around a handler, made as far as it is used."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan, Span

from rrq_otel import semantics
from rrq_otel.carrier import span_context
from rrq_otel.lean_span import LeanSpan, Pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext, TraceState

    from rrq.telemetry import Outcome, RunningJob
    from rrq_otel.executing import ExecutionSpans


class HandlerSpan(LeanSpan, Span):
    """A running span, then the ended one: whoever has it may do what a span of the SDK can.

    Most handlers do nothing with it but to ask for its context, below which their own spans hang.
    So it has its ids and times only, until somebody sets or reads something else. RRQ's own
    attributes join those that were set when it ends, and OpenTelemetry's limits do not apply to
    them.

    Args:
        parent: a `plain_traceparent`, of a trace that is sampled.
    """

    outcome: Outcome | None = None
    _own_context: SpanContext | None = None
    _dropped = 0

    __new__ = object.__new__  # The SDK's own only asks whether this is its own class.

    def __init__(
        self, spans: ExecutionSpans, job: RunningJob, parent: str, state: TraceState | None
    ) -> None:
        self._resource = spans.resource
        self._instrumentation_scope = spans.scope
        self._spans = spans
        self._job = job
        self._above = parent
        self._state = state
        self._span_id: int = spans.new_span_id()
        self._start_time = time.time_ns()
        self._end_time = None

    def get_span_context(self) -> SpanContext:
        """Its ids; made when they are first asked for, without the rest."""
        if self._own_context is None:
            self._own_context = span_context(self._plain(), self._state, is_remote=False)
        return self._own_context

    def end(self, end_time: int | None = None) -> None:
        """As the SDK's, and hand it to the processors."""
        if self.is_whole or self._end_time is not None:
            self._end_touched(end_time)
        else:
            self._end_time = time.time_ns() if end_time is None else end_time
            processor = self._spans.processor
            batches = getattr(processor, "batches", None)
            if batches is not None:
                batches.write_later(self)
            else:
                processor.on_end(self)

    @property
    def dropped_attributes(self) -> int:
        """How many of those that were set were more than the limit."""
        return self._dropped

    def encoded(self) -> bytes | None:
        """Only of a handler that left it alone, and ended well, nothing more is to be said."""
        if self.is_whole or self._state is not None:
            return None
        return self._pattern().encoded(
            self._plain(),
            self._above[36:52],
            self._start_time or 0,
            self._end_time or 0,
            self._job.job_id,
            self._job.attributes,
        )

    def _end_touched(self, end_time: int | None) -> None:
        with self._lock:
            is_first = self._end_time is None
            if is_first:
                self._end_time = time.time_ns() if end_time is None else end_time
                self._dropped = getattr(self._attributes, "dropped", 0)
                self._attributes = self._all_attributes(self._attributes or {})
        if is_first:
            self._spans.processor.on_end(self)
        else:
            super().end(end_time)  # which says in the log that it has ended

    def _plain(self) -> str:
        return f"{self._above[:36]}{self._span_id:016x}{self._above[52:]}"

    def _pattern(self) -> Pattern:
        job = self._job
        return self._spans.patterns.get(
            job.queue_name, job.function_name, job.worker_id, job.attempt, self.outcome
        )

    def _all_attributes(self, set_by_handler: Mapping[str, Any]) -> dict[str, Any]:
        job = self._job
        return {
            **self._pattern().attributes,
            **job.attributes,
            **semantics.identity(job.job_id),
            **set_by_handler,
        }

    def _whole(self) -> ReadableSpan:
        whole = _SdkSpan(
            semantics.EXECUTOR,
            self.get_span_context(),
            parent=span_context(self._above, self._state, is_remote=True),
            sampler=self._spans.tracer.sampler,
            resource=self._resource,
            span_processor=self._spans.processor,
            limits=self._spans.limits,
            instrumentation_scope=self._instrumentation_scope,
        )
        if self._end_time is not None:
            whole._attributes = self._all_attributes({})
        return whole


class _SdkSpan(Span):
    """The SDK makes no spans of its own class by hand, but of others."""
