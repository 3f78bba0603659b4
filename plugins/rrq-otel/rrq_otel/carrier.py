"""Reading and writing propagation headers: by the global propagator, W3C's being written out here.

OpenTelemetry's propagators take ten times as long, and each job in a worker needs them twice. A
span is a `plain_traceparent` here, whatever the propagator's own headers are.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    TraceState,
)

from rrq.telemetry.identity import TraceParent, is_sampled, plain_traceparent

_W3C_FIELDS = {"traceparent", "tracestate", "baggage"}
_FLAGS = (TraceFlags(TraceFlags.DEFAULT), TraceFlags(TraceFlags.SAMPLED))

[_SPAN_KEY] = trace.set_span_in_context(INVALID_SPAN, Context())
"""Where a context has its span: to set it so takes a third of the time."""


class Carrier:
    """Headers as any propagator has them."""

    def parent_in(self, headers: Mapping[str, str]) -> tuple[str | None, TraceState | None]:
        """The span that these headers name, and the state of its trace, if it has any."""
        found = trace.get_current_span(self.context_in(headers)).get_span_context()
        if not found.is_valid:
            return None, None
        plain = str(TraceParent(found.trace_id, found.span_id, found.trace_flags))
        return plain, found.trace_state or None

    def told_in(self, headers: Mapping[str, str]) -> str | None:
        """The span of our own that `headers_for` told of."""
        return self.parent_in(headers)[0]

    def spans_in(
        self, before: Mapping[str, str], told: Mapping[str, str]
    ) -> tuple[str | None, str | None, TraceState | None]:
        """The span that `told` names, as `headers_for` made it of `before`, and, as `parent_in`
        finds them, its parent and the state of its trace."""
        return self.told_in(told), *self.parent_in(before)

    def headers_for(self, plain: str, before: Mapping[str, str]) -> dict[str, str]:
        """The headers that name this span as the parent, where `before` stood until now."""
        headers: dict[str, str] = {}
        own = NonRecordingSpan(span_context(plain, self.parent_in(before)[1], is_remote=False))
        propagate.inject(headers, trace.set_span_in_context(own, self.context_in(before)))
        return headers

    def context_in(self, headers: Mapping[str, str]) -> Context:
        """The context that these headers carry, with its parent and its baggage."""
        return propagate.extract(headers, Context())

    def context_with(self, span: Span, headers: Mapping[str, str]) -> Context:
        """The context that these headers carry, with this span as the current one."""
        return trace.set_span_in_context(span, self.context_in(headers))


class W3CCarrier(Carrier):
    """Headers of the usual propagator."""

    def parent_in(self, headers: Mapping[str, str]) -> tuple[str | None, TraceState | None]:
        """As any carrier."""
        parent = plain_traceparent(headers.get("traceparent"))
        state = headers.get("tracestate")
        return parent, TraceState.from_header([state]) if parent and state else None

    def told_in(self, headers: Mapping[str, str]) -> str | None:
        """As any carrier."""
        return headers.get("traceparent")

    def spans_in(
        self, before: Mapping[str, str], told: Mapping[str, str]
    ) -> tuple[str | None, str | None, TraceState | None]:
        """As any carrier."""
        own, parent = told.get("traceparent"), before.get("traceparent")
        if own and parent and "tracestate" not in before and own[:36] == parent[:36]:
            # The trace of a parent that was not valid would not have been continued.
            return own, parent[:55], None
        return own, *self.parent_in(before)

    def headers_for(self, plain: str, before: Mapping[str, str]) -> dict[str, str]:
        """As any carrier."""
        return {"traceparent": plain}

    def context_with(self, span: Span, headers: Mapping[str, str]) -> Context:
        """As any carrier."""
        if "baggage" in headers:
            return super().context_with(span, headers)
        return Context({_SPAN_KEY: span})


def carrier() -> Carrier:
    """The one of the global propagator, which an application may set at any time."""
    global _current
    propagator = propagate.get_global_textmap()
    if propagator is not _current[0]:
        kind = W3CCarrier if propagator.fields == _W3C_FIELDS else Carrier
        _current = (propagator, kind())
    return _current[1]


_current: tuple[object, Carrier] = (None, Carrier())


def span_context(plain: str, state: TraceState | None, *, is_remote: bool) -> SpanContext:
    """A span as OpenTelemetry's API has it."""
    flags = _FLAGS[is_sampled(plain)]
    return SpanContext(int(plain[3:35], 16), int(plain[36:52], 16), is_remote, flags, state)
