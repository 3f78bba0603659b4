"""Reading and writing propagation headers, in the styles that ddtrace is configured to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ddtrace.propagation.http import HTTPPropagator

if TYPE_CHECKING:
    from ddtrace.trace import Context, Span

_extract: Callable[[dict[str, str]], Context] = HTTPPropagator.extract

_HEADERS = (
    "traceparent",
    "tracestate",
    "baggage",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-origin",
    "x-datadog-tags",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "x-b3-flags",
    "b3",
)


def context_in(headers: Mapping[str, str]) -> Context | None:
    """The span that these headers name, with their baggage, or None."""
    if not headers:
        return None
    context = _extract(dict(headers))
    return context if context.trace_id or context.get_all_baggage_items() else None


def headers_for(span: Span) -> dict[str, str]:
    """The headers that name this span as the parent; decides whether its trace is sampled, if
    nobody has."""
    headers: dict[str, str] = {}
    HTTPPropagator.inject(span, headers)
    return headers


def write(span: Span, headers: dict[str, str]) -> None:
    """As `headers_for`, in place of the headers that were there."""
    written = headers_for(span)
    for name in [name for name in headers if name.lower() in _HEADERS]:
        del headers[name]
    headers |= written
