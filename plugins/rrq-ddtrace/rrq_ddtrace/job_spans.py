"""`JobSpans`: the span `rrq.job` of each attempt, made when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ddtrace.trace import Span

from rrq.telemetry import identity
from rrq_ddtrace import carrier, semantics

if TYPE_CHECKING:
    from ddtrace.trace import Context, Tracer

    from rrq.telemetry import Attempt, FinishedJob, Scalar, StartedJob
    from rrq_ddtrace.semantics import Identity

LOW_64_BITS = (1 << 64) - 1

_KINDS_OF_ERROR = {"timeout": "Timeout", "lost": "ExecutorLost", "dlq": "Refused"}


class JobSpans:
    """Spans of attempts.

    Args:
        backend: the name in which span ids are derived.
    """

    def __init__(self, backend: str, tracer: Tracer, identity: Identity) -> None:
        self.tracer = tracer
        self._backend = backend
        self._identity = identity
        # As ddtrace is configured.
        self._has_long_trace_ids = Span("rrq.probe").trace_id > LOW_64_BITS

    def headers(self, job: StartedJob) -> Mapping[str, str]:
        """What the executor is told of the attempt's span."""
        parent = carrier.context_in(job.trace_context)
        # Not the span that is sent, which its times are still missing of: only its ids, and what
        # sampling rules look at, if nobody has decided yet.
        span = Span(
            semantics.JOB,
            service=self._identity.effective_service(),
            resource=job.function_name,
            span_type=semantics.SPAN_TYPE,
            trace_id=parent.trace_id if parent and parent.trace_id else self._trace_id(job),
            span_id=self._span_id(job, job.lease_token),
            parent_id=parent.span_id if parent else None,
            context=parent,
        )
        if parent is None or parent.sampling_priority is None:
            semantics.tag(span, {**self._identity.tags(), "rrq.function": job.function_name})
        return carrier.headers_for(span)

    def record(self, attempt: Attempt) -> None:
        """Make the span of an attempt, and have it sent."""
        job, finished = attempt.started, attempt.finished
        span = semantics.started(
            self.tracer, self._identity, semantics.JOB, self._parent(attempt), job.function_name
        )
        span.span_id = self._span_id(job, job.lease_token)
        span.start_ns = job.started_ns
        semantics.tag(span, {**attempt.attributes, **self._tags(job, finished)})
        span.set_metric("_dd.measured", 1)
        if job.previous_lease_token is not None:
            span.set_link(
                span.trace_id,
                self._span_id(job, job.previous_lease_token),
                attributes={"rrq.link": "previous_attempt"},
            )
        if _is_failed(finished):
            kind = finished.error_type or _KINDS_OF_ERROR.get(finished.outcome, "Error")
            semantics.fail(span, kind, finished.error_message or finished.outcome)
        span.finish(finished.ended_ns / 1e9)

    def ids(self, job: StartedJob, carried: Mapping[str, str]) -> tuple[int, int]:
        """The trace's and the attempt's span's."""
        context = carrier.context_in(carried)
        trace_id = context.trace_id if context and context.trace_id else self._trace_id(job)
        return trace_id, self._span_id(job, job.lease_token)

    def _parent(self, attempt: Attempt) -> Context:
        """The producer's span, with the decision on sampling that the executor was told of."""
        parent = carrier.context_in(attempt.started.trace_context)
        if parent is not None and parent.sampling_priority is not None:
            return parent
        told = carrier.context_in(attempt.carried)
        if parent is None or not parent.trace_id:
            return semantics.root(self._trace_id(attempt.started), told)
        if told is not None:
            parent.sampling_priority = told.sampling_priority
        return parent

    def _span_id(self, job: StartedJob, lease_token: int) -> int:
        return identity.span_id(self._backend, job.job_id, lease_token)

    def _trace_id(self, job: StartedJob) -> int:
        trace_id = identity.trace_id(job)
        return trace_id if self._has_long_trace_ids else (trace_id & LOW_64_BITS) or 1

    def _tags(self, job: StartedJob, finished: FinishedJob) -> dict[str, Scalar]:
        tags: dict[str, Scalar] = {
            **semantics.messaging("process", job.queue_name, "consumer", job.job_id),
            "rrq.worker_id": job.worker_id,
            "rrq.attempt": job.attempt,
            "rrq.timeout_seconds": job.timeout_seconds,
            "rrq.queue_delay_ms": round(job.queue_delay_ms, 3),
            "rrq.outcome": finished.outcome,
            "rrq.duration_ms": round(finished.duration_ms, 3),
        }
        if job.executor_name:
            tags["rrq.executor"] = job.executor_name
        if finished.retry_delay_ms is not None:
            tags["rrq.retry_delay_ms"] = round(finished.retry_delay_ms, 3)
        if finished.reason:
            tags["rrq.reason"] = finished.reason
        if finished.error_message is not None:
            tags["rrq.error_message"] = semantics.short(finished.error_message)
        if finished.is_dead_lettered:
            tags["rrq.dead_lettered"] = True
        return tags


def _is_failed(finished: FinishedJob) -> bool:
    """An attempt that asked for a retry, or was cancelled or released, is no error."""
    is_asked_for = finished.outcome == "retry" and finished.reason == "retry"
    return not is_asked_for and finished.outcome not in ("success", "cancelled", "released")
