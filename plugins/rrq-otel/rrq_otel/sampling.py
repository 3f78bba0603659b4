"""Whether a span is sampled, without asking a sampler that only repeats its parent's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler

_SAMPLED = Decision.RECORD_AND_SAMPLE


class Sampling:
    """One sampler's decisions on RRQ's spans."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        told = sampler.get_description()
        self.follows_parent = (
            isinstance(sampler, ParentBased)
            and "remoteParentSampled:AlwaysOnSampler" in told
            and "remoteParentNotSampled:AlwaysOffSampler" in told
        )

    def flags(self, parent: SpanContext | None, trace_id: int, name: str, kind: SpanKind) -> int:
        """The trace flags of a new span."""
        if parent is not None and self.follows_parent:
            return parent.trace_flags & TraceFlags.SAMPLED
        context = Context()
        if parent is not None:
            context = trace.set_span_in_context(NonRecordingSpan(parent), context)
        result = self._sampler.should_sample(context, trace_id, name, kind)
        return TraceFlags.SAMPLED if result.decision is _SAMPLED else TraceFlags.DEFAULT
