"""The span processors of an SDK that was set up here, which are quick with RRQ's spans."""

from __future__ import annotations

from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from rrq_otel.batches import SpanBatches


class Processors(SynchronousMultiSpanProcessor):
    """All processors of a provider, also those that an application adds.

    Attributes:
        watches_starts: whether any of them does something when a span starts.
        batches: the only one, if it takes spans that are written already; None if there is
            another, which may want to look at them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of the SDK
        self.watches_starts = False
        self.batches: SpanBatches | None = None
        self._count = 0

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add one."""
        kind = type(span_processor)
        does_nothing = (
            SpanProcessor.on_start,
            BatchSpanProcessor.on_start,
            SpanBatches.on_start,
        )
        if kind.on_start not in does_nothing:
            self.watches_starts = True
        super().add_span_processor(span_processor)
        self._count += 1
        is_only_one = self._count == 1
        self.batches = (
            span_processor if is_only_one and isinstance(span_processor, SpanBatches) else None
        )
        if is_only_one:
            self.on_end = span_processor.on_end  # type: ignore[method-assign]  # spares the loop
        elif self._count == 2:
            del self.on_end
