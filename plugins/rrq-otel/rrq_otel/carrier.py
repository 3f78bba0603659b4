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

_W3C = {"traceparent", "tracestate", "baggage"}
_FLAGS = (TraceFlags(TraceFlags.DEFAULT), TraceFlags(TraceFlags.SAMPLED))

[_SPAN_KEY] = trace.set_span_in_context(INVALID_SPAN, Context())
"""Where a context has its span: to set it so takes a third of the time."""

_looked_at: tuple[object, bool] = (None, False)


def is_w3c() -> bool:
    """Whether the global propagator is the usual one."""
    global _looked_at
    propagator = propagate.get_global_textmap()
    if propagator is not _looked_at[0]:
        _looked_at = (propagator, propagator.fields == _W3C)
    return _looked_at[1]


def parent_in(headers: Mapping[str, str]) -> tuple[str | None, TraceState | None]:
    """The span that these headers name, and the state of its trace, if it has any."""
    if is_w3c():
        parent = plain_traceparent(headers.get("traceparent"))
        state = headers.get("tracestate")
        return parent, TraceState.from_header([state]) if parent and state else None
    found = trace.get_current_span(propagate.extract(headers, Context())).get_span_context()
    if not found.is_valid:
        return None, None
    plain = str(TraceParent(found.trace_id, found.span_id, found.trace_flags))
    return plain, found.trace_state or None


def told_in(headers: Mapping[str, str]) -> str | None:
    """The span of our own that `headers_for` told of."""
    return headers.get("traceparent") if is_w3c() else parent_in(headers)[0]


def headers_for(plain: str, before: Mapping[str, str]) -> dict[str, str]:
    """The headers that name this span as the parent, where `before` stood until now."""
    if is_w3c():
        return {"traceparent": plain}
    headers: dict[str, str] = {}
    span = NonRecordingSpan(span_context(plain, parent_in(before)[1], is_remote=False))
    propagate.inject(headers, trace.set_span_in_context(span, propagate.extract(before, Context())))
    return headers


def context_in(headers: Mapping[str, str]) -> Context:
    """The context that these headers carry, with its parent and its baggage."""
    return propagate.extract(headers, Context())


def context_with(span: Span, headers: Mapping[str, str]) -> Context:
    """The context that these headers carry, with this span as the current one."""
    if is_w3c() and "baggage" not in headers:
        return Context({_SPAN_KEY: span})
    return trace.set_span_in_context(span, context_in(headers))


def span_context(plain: str, state: TraceState | None, *, is_remote: bool) -> SpanContext:
    """A span as OpenTelemetry's API has it."""
    flags = _FLAGS[is_sampled(plain)]
    return SpanContext(int(plain[3:35], 16), int(plain[36:52], 16), is_remote, flags, state)
