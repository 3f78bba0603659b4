"""`EnqueueSpan`: the span `rrq.enqueue` around the write to Redis."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from rrq_logfire import carrier, semantics

if TYPE_CHECKING:
    from rrq.telemetry import EnqueuedJob


class EnqueueSpan:
    """A producer span whose headers are in the job's `trace_context` as soon as it is open.

    Args:
        tracer: Logfire's.
    """

    __slots__ = ("_job", "_service_name", "_span", "_tracer")

    def __init__(self, tracer: Any, job: EnqueuedJob, service_name: str | None) -> None:
        self._tracer = tracer
        self._job = job
        self._service_name = service_name

    def __enter__(self) -> None:
        job = self._job
        current = trace.get_current_span().get_span_context()
        # What a bulk was given counts where the caller is in no span of its own.
        context = None
        if not current.is_valid and job.trace_context:
            context = carrier.context_in(job.trace_context)
        self._span = self._tracer.start_span(
            semantics.ENQUEUE,
            context,
            SpanKind.PRODUCER,
            {
                **semantics.messaging("publish", job.queue_name, "producer", self._service_name),
                **semantics.identity(job.job_id),
                **job.attributes,
                **semantics.message(semantics.ENQUEUE, job.function_name),
            },
        )
        carrier.write(job.trace_context, self._span, context)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.record_exception(error, escaped=True)
        self._span.end()
