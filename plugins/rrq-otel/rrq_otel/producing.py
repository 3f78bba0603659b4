"""`EnqueueSpan`: the span `rrq.enqueue` around the write to Redis."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from rrq_otel import semantics

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from rrq.telemetry import EnqueuedJob


class EnqueueSpan:
    """A producer span whose headers are in the job's `trace_context` as soon as it is open."""

    __slots__ = ("_job", "_service_name", "_span", "_tracer")

    def __init__(self, tracer: Tracer, job: EnqueuedJob, service_name: str | None) -> None:
        self._tracer = tracer
        self._job = job
        self._service_name = service_name

    def __enter__(self) -> None:
        job = self._job
        current = trace.get_current_span().get_span_context()
        # What a bulk was given counts where the caller is in no span of its own.
        context = None
        if not current.is_valid and job.trace_context:
            context = propagate.extract(job.trace_context)
        self._span = self._tracer.start_span(
            semantics.ENQUEUE,
            context,
            SpanKind.PRODUCER,
            {
                **semantics.messaging("publish", job.queue_name, "producer", self._service_name),
                **semantics.identity(job.job_id),
                **job.attributes,
                "rrq.function": job.function_name,
            },
        )
        for header in propagate.get_global_textmap().fields:
            job.trace_context.pop(header, None)
        propagate.inject(job.trace_context, trace.set_span_in_context(self._span, context))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._span.record_exception(error)
            self._span.set_status(Status(StatusCode.ERROR, semantics.short(str(error))))
            self._span.set_attribute("error.type", type(error).__qualname__)
        self._span.end()
