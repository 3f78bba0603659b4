"""Whether a span is sampled, without asking a sampler whose answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased
from opentelemetry.trace import NonRecordingSpan

from rrq.telemetry.identity import is_sampled
from rrq_otel.carrier import span_context

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import SpanKind, TraceState


class Sampling:
    """One sampler's decisions on RRQ's spans.

    Attributes:
        follows_parent: whether it does no more than to repeat what was decided on the parent.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        told: str = ""
        if isinstance(sampler, ParentBased):
            told = sampler.get_description()  # type: ignore[no-untyped-call]  # of the SDK
        self.follows_parent = (
            "remoteParentSampled:AlwaysOnSampler" in told
            and "remoteParentNotSampled:AlwaysOffSampler" in told
        )
        self._takes_every_root = "root:AlwaysOnSampler" in told

    def is_sampled(
        self, parent: str | None, state: TraceState | None, trace_id: int, name: str, kind: SpanKind
    ) -> bool:
        """Whether a new span is to be recorded and exported."""
        if parent is None and self._takes_every_root:
            return True
        if parent is not None and self.follows_parent:
            return is_sampled(parent)
        context = Context()
        if parent is not None:
            above = span_context(parent, state, is_remote=True)
            context = trace.set_span_in_context(NonRecordingSpan(above), context)
        result = self._sampler.should_sample(context, trace_id, name, kind)
        return result.decision is Decision.RECORD_AND_SAMPLE
