"""Reading and writing propagation headers: by the global propagator, W3C's being written out here.

OpenTelemetry's propagators take ten times as long, and each job in a worker needs them twice.
Logfire's warn of headers that nobody meant to accept: whoever installed this plugin means it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from rrq.telemetry.identity import TraceParent

_W3C = {"traceparent", "tracestate", "baggage"}

_looked_at: tuple[object, bool] = (None, False)


def parent_in(headers: Mapping[str, str]) -> SpanContext | None:
    """The span that these headers name, or None."""
    if _is_w3c():
        return _w3c_parent(headers)
    found = trace.get_current_span(_extracted(headers)).get_span_context()
    return found if found.is_valid else None


def context_in(headers: Mapping[str, str]) -> Context:
    """The context that these headers carry: the span that they name, and their baggage."""
    if _is_w3c() and "baggage" not in headers:
        parent = _w3c_parent(headers)
        return (
            trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
        )
    return _extracted(headers)


def headers_for(span: SpanContext, before: Mapping[str, str]) -> dict[str, str]:
    """The headers that name this span as the parent, where `before` stood until now."""
    if _is_w3c():
        return {"traceparent": str(TraceParent(span.trace_id, span.span_id, span.trace_flags))}
    headers: dict[str, str] = {}
    propagate.inject(headers, trace.set_span_in_context(NonRecordingSpan(span), _extracted(before)))
    return headers


def write(headers: dict[str, str], span: trace.Span, context: Context | None) -> None:
    """Name this span as the parent, in place of what the headers said."""
    for field in propagate.get_global_textmap().fields:
        headers.pop(field, None)
    propagate.inject(headers, trace.set_span_in_context(span, context))


def _is_w3c() -> bool:
    global _looked_at
    propagator = propagate.get_global_textmap()
    if propagator is not _looked_at[0]:
        _looked_at = (propagator, propagator.fields == _W3C)
    return _looked_at[1]


def _extracted(headers: Mapping[str, str]) -> Context:
    propagator: Any = propagate.get_global_textmap()
    while type(propagator).__module__.startswith("logfire.") and hasattr(propagator, "wrapped"):
        propagator = propagator.wrapped
    context: Context = propagator.extract(headers, Context())
    return context


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
