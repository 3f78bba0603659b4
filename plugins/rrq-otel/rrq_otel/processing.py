"""The span processors of an SDK that was set up here, which are quick with RRQ's spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from rrq_otel.lean_span import LeanSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Processors(SynchronousMultiSpanProcessor):
    """All processors of a provider, also those that an application adds.

    Attributes:
        watches_starts: whether any of them does something when a span starts.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of the SDK
        self.watches_starts = False
        self._count = 0

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add one."""
        does_nothing = (SpanProcessor.on_start, BatchSpanProcessor.on_start)
        if type(span_processor).on_start not in does_nothing:
            self.watches_starts = True
        super().add_span_processor(span_processor)
        self._count += 1
        if self._count == 1:
            self.on_end = span_processor.on_end  # type: ignore[method-assign]  # spares the loop
        elif self._count == 2:
            del self.on_end


class SpanBatches(BatchSpanProcessor):
    """Batches of spans. RRQ's are taken without a look at their context: all are sampled, and most
    never need one."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # OpenTelemetry before 1.33 has no such thing, and is used as it is.
        self._emit = getattr(getattr(self, "_batch_processor", None), "emit", None)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        if self._emit is not None and isinstance(span, LeanSpan):
            self._emit(span)
        else:
            super().on_end(span)
