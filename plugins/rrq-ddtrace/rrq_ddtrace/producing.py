"""`EnqueueSpan`: the span `rrq.enqueue` around the write to Redis."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rrq_ddtrace import carrier, semantics

if TYPE_CHECKING:
    from ddtrace.trace import Tracer

    from rrq.telemetry import EnqueuedJob
    from rrq_ddtrace.semantics import Identity


class EnqueueSpan:
    """A producer span whose headers are in the job's `trace_context` as soon as it is open."""

    __slots__ = ("_identity", "_job", "_span", "_tracer")

    def __init__(self, tracer: Tracer, identity: Identity, job: EnqueuedJob) -> None:
        self._tracer = tracer
        self._identity = identity
        self._job = job

    def __enter__(self) -> None:
        job = self._job
        # What a bulk was given counts where the caller is in no span of its own.
        parent = self._tracer.context_provider.active() or carrier.context_in(job.trace_context)
        self._span = semantics.started(
            self._tracer, self._identity, semantics.ENQUEUE, parent, job.function_name
        )
        own = semantics.messaging("publish", job.queue_name, "producer", job.job_id)
        semantics.tag(self._span, {**job.attributes, **own})
        carrier.write(self._span, job.trace_context)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and error is not None:
            self._span.set_exc_info(kind, error, traceback)
        self._span.finish()
