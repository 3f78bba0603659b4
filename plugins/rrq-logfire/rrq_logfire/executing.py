"""`ExecutionSpan`: the span `rrq.executor` around a handler, current while the handler runs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from rrq.exc import RetryJob
from rrq_logfire import carrier, semantics

if TYPE_CHECKING:
    from rrq.telemetry import Outcome, RunningJob


class ExecutionSpan:
    """The block around one handler.

    Args:
        tracer: Logfire's.
    """

    __slots__ = ("_job", "_service_name", "_span", "_token", "_tracer")

    def __init__(self, tracer: Any, job: RunningJob, service_name: str | None) -> None:
        self._tracer = tracer
        self._job = job
        self._service_name = service_name

    def __enter__(self) -> None:
        context = carrier.context_in(self._job.trace_context)
        self._span = self._tracer.start_span(
            semantics.EXECUTOR, context, SpanKind.INTERNAL, self._attributes()
        )
        self._token = contexts.attach(trace.set_span_in_context(self._span, context))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        contexts.detach(self._token)
        span, outcome = self._span, self._outcome(error)
        span.set_attribute("rrq.outcome", outcome)
        if error is not None and outcome in ("error", "timeout"):
            span.set_attribute("error.type", type(error).__qualname__)
            # Sets the status and the level too.
            span.record_exception(error, escaped=True)
        elif outcome in ("retry", "cancelled"):
            told = {"rrq.reason": semantics.short(str(error))} if str(error) else {}
            span.add_event("rrq.retry" if outcome == "retry" else "rrq.cancel", told)
            span.set_attributes(semantics.level("warn"))
        span.end()

    def _attributes(self) -> dict[str, Any]:
        job = self._job
        attributes = {
            **semantics.messaging("process", job.queue_name, "internal", self._service_name),
            **semantics.identity(job.job_id),
            **job.attributes,
            **semantics.message(semantics.EXECUTOR, job.function_name),
            "rrq.attempt": job.attempt,
        }
        if job.worker_id:
            attributes["rrq.worker_id"] = job.worker_id
        return attributes

    def _outcome(self, error: BaseException | None) -> Outcome:
        if self._job.stopped_by is not None:
            return "timeout" if self._job.stopped_by == "deadline" else "cancelled"
        if error is None:
            return "success"
        if isinstance(error, RetryJob):
            return "retry"
        return "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
