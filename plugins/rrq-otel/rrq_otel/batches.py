"""`SpanBatches`: spans on their way to an OTLP exporter, RRQ's own as the bytes that are sent.

A job's span is made in an event loop, between two jobs. OpenTelemetry's processor takes longer to
hand it to its thread than it takes to write it down, and keeps objects whose memory the processor
has forgotten when they are read again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.sdk.trace import SpanProcessor

from rrq.telemetry.complaints import Losses
from rrq_otel import wire
from rrq_otel.later import Later
from rrq_otel.request import WrittenSpans

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, Span
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from rrq_otel.lean_span import LeanSpan

logger = logging.getLogger("rrq.telemetry")


class SpanBatches(SpanProcessor):
    """A batch goes when it is full, or some time after its first span; a thread sends them.

    It does what the specification of OpenTelemetry's batching processor says, and has its limits
    (https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor).

    Args:
        exporter: must know `WrittenSpans`.
        resource, scope: what written spans say of their maker.
        queue_spans: how many may wait; further ones are dropped and counted.
        batch_spans: how many are sent at once.
        every_seconds: for how long a batch that is not full waits at most.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        resource: Resource,
        scope: InstrumentationScope,
        queue_spans: int,
        batch_spans: int,
        every_seconds: float,
    ) -> None:
        self._exporter = exporter
        self._resource = resource
        self._scope = scope
        self._queue_spans = queue_spans
        self._batch_spans = min(batch_spans, queue_spans)
        self._every_seconds = every_seconds
        self._is_shut_down = False
        self._begin()
        weak_begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: (begin := weak_begin()) and begin())

    def _begin(self) -> None:
        """In a child of this process too: what waits is the parent's, and so is its thread."""
        self._written: list[bytes] = []
        self._spans: list[ReadableSpan] = []
        self._ended: Later[LeanSpan] = Later(self._write)
        self._dropped = Losses()
        self._wake = threading.Event()
        self._sending = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def take(self, encoded: bytes) -> None:
        """Take a span of RRQ's as `wire.encoded_span` has it. Quick: a list and a look at it."""
        waiting = self._written
        waiting.append(wire.field(0x12, encoded))
        if len(waiting) >= self._batch_spans or self._thread is None:
            self._on_many(waiting)

    def write_later(self, span: LeanSpan) -> None:
        """Take a span of RRQ's that has ended, is sampled, and is to be written."""
        self._ended.put(span)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended, if it is sampled."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self._spans.append(span)
            if len(self._spans) >= self._batch_spans or self._thread is None:
                self._on_many(self._spans)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits; whether that ended in time. A request under way is not cut short."""
        self._ended.do()
        deadline = time.monotonic() + timeout_millis / 1000
        while self._written or self._spans:
            left_seconds = deadline - time.monotonic()
            if left_seconds <= 0 or not self._sending.acquire(timeout=left_seconds):
                return False
            try:
                self._send_batch()
            finally:
                self._sending.release()
        return True

    def shutdown(self) -> None:
        """Send what waits, as far as the collector takes it, and end the thread."""
        if self._is_shut_down:
            return
        self._ended.do()
        self._is_shut_down = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_SHUTDOWN_SECONDS)
        self._exporter.shutdown()

    def _write(self, span: LeanSpan) -> None:
        encoded = span.encoded()
        if encoded is None:
            self.on_end(span)
        else:
            self.take(encoded)

    def _on_many(self, waiting: list[Any]) -> None:
        if self._is_shut_down:
            waiting.clear()
            return
        if self._thread is None:
            self._start()
        if len(waiting) > self._queue_spans:
            waiting.pop()
            self._dropped.add(1)
        elif len(waiting) >= self._batch_spans and not self._wake.is_set():
            self._wake.set()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="rrq-otel-spans", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while not self._is_shut_down:
            self._wake.wait(self._every_seconds)
            self._wake.clear()
            with self._sending:
                self._send_batch()
                while max(len(self._written), len(self._spans)) >= self._batch_spans:
                    self._send_batch()
            self._complain()
        self.force_flush()

    def _send_batch(self) -> None:
        # Spans are added at the end meanwhile, and taken here only, by one thread at a time.
        written, spans = self._written[: self._batch_spans], self._spans[: self._batch_spans]
        del self._written[: len(written)], self._spans[: len(spans)]
        if written:
            spans.append(WrittenSpans(written, self._resource, self._scope))
        if not spans:
            return
        # Or the request that sends spans would be a span, where an application traces requests.
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            self._exporter.export(spans)
        except Exception as error:
            logger.warning("OpenTelemetry: spans could not be exported: %.500r", error)
        finally:
            detach(token)

    def _complain(self) -> None:
        if (dropped := self._dropped.to_tell()) is not None:
            logger.warning(
                "OpenTelemetry: %d spans were dropped, as more than %d waited"
                " (OTEL_BSP_MAX_QUEUE_SIZE)",
                dropped,
                self._queue_spans,
            )


_SHUTDOWN_SECONDS = 30.0
