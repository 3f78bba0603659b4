"""Reading and writing propagation headers: by the global propagator, W3C's being written out here.

OpenTelemetry's propagators take ten times as long, and each job in a worker needs them twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from rrq.telemetry.identity import TraceParent

_W3C = {"traceparent", "tracestate", "baggage"}

_looked_at: tuple[object, bool] = (None, False)


def is_w3c() -> bool:
    """Whether the global propagator is the usual one."""
    global _looked_at
    propagator = propagate.get_global_textmap()
    if propagator is not _looked_at[0]:
        _looked_at = (propagator, propagator.fields == _W3C)
    return _looked_at[1]


def parent_in(headers: Mapping[str, str]) -> SpanContext | None:
    """The span that these headers name, or None."""
    if is_w3c():
        return _w3c_parent(headers)
    found = trace.get_current_span(propagate.extract(headers, Context())).get_span_context()
    return found if found.is_valid else None


def span_told(headers: Mapping[str, str], parent: SpanContext | None) -> SpanContext | None:
    """The span of our own that `headers_for` told of; it has the parent's trace state."""
    state = parent.trace_state if parent is not None else None
    if is_w3c():
        told = TraceParent.parsed(headers.get("traceparent"))
        if told is None:
            return None
        return SpanContext(told.trace_id, told.span_id, False, TraceFlags(told.flags), state)
    found = parent_in(headers)
    if found is None:
        return None
    return SpanContext(found.trace_id, found.span_id, False, found.trace_flags, state)


def context_in(headers: Mapping[str, str]) -> tuple[Context, SpanContext | None]:
    """The context that these headers carry, with its baggage, and the span that they name."""
    if is_w3c() and "baggage" not in headers:
        parent = _w3c_parent(headers)
        if parent is None:
            return Context(), None
        return trace.set_span_in_context(NonRecordingSpan(parent), Context()), parent
    context = propagate.extract(headers, Context())
    found = trace.get_current_span(context).get_span_context()
    return context, found if found.is_valid else None


def headers_for(span: SpanContext, before: Mapping[str, str]) -> dict[str, str]:
    """The headers that name this span as the parent, where `before` stood until now."""
    if is_w3c():
        return {"traceparent": str(TraceParent(span.trace_id, span.span_id, span.trace_flags))}
    headers: dict[str, str] = {}
    context = trace.set_span_in_context(
        NonRecordingSpan(span), propagate.extract(before, Context())
    )
    propagate.inject(headers, context)
    return headers


def _w3c_parent(headers: Mapping[str, str]) -> SpanContext | None:
    parsed = TraceParent.parsed(headers.get("traceparent"))
    if parsed is None:
        return None
    state = headers.get("tracestate")
    return SpanContext(
        parsed.trace_id,
        parsed.span_id,
        True,
        TraceFlags(parsed.flags),
        TraceState.from_header([state]) if state else None,
    )
