"""`ExecutionSpan`: the span `rrq.executor` around a handler, current while the handler runs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING

from rrq.exc import RetryJob
from rrq_ddtrace import carrier, semantics

if TYPE_CHECKING:
    from ddtrace.trace import Tracer

    from rrq.telemetry import Outcome, RunningJob, Scalar
    from rrq_ddtrace.semantics import Identity


class ExecutionSpan:
    """The block around one handler."""

    __slots__ = ("_before", "_identity", "_job", "_span", "_tracer")

    def __init__(self, tracer: Tracer, identity: Identity, job: RunningJob) -> None:
        self._tracer = tracer
        self._identity = identity
        self._job = job

    def __enter__(self) -> None:
        job, provider = self._job, self._tracer.context_provider
        self._before = provider.active()
        parent = carrier.context_in(job.trace_context)
        self._span = semantics.started(
            self._tracer, self._identity, semantics.EXECUTOR, parent, job.function_name
        )
        tags: dict[str, Scalar] = {
            **job.attributes,
            **semantics.messaging("process", job.queue_name, "internal", job.job_id),
            "rrq.attempt": job.attempt,
        }
        if job.worker_id:
            tags["rrq.worker_id"] = job.worker_id
        semantics.tag(self._span, tags)
        provider.activate(self._span)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        span = self._span
        outcome = self._outcome(error)
        span.set_tag("rrq.outcome", outcome)
        if kind is not None and error is not None:
            if outcome == "error":
                span.set_exc_info(kind, error, traceback)
            elif outcome == "timeout":
                semantics.fail(span, "Timeout", str(error) or outcome)
            elif str(error):
                span.set_tag("rrq.reason", semantics.short(str(error)))
        span.finish()
        self._tracer.context_provider.activate(self._before)

    def _outcome(self, error: BaseException | None) -> Outcome:
        if self._job.stopped_by is not None:
            return "timeout" if self._job.stopped_by == "deadline" else "cancelled"
        if error is None:
            return "success"
        if isinstance(error, RetryJob):
            return "retry"
        return "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
