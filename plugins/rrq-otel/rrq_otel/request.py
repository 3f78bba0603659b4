"""`encoded`: spans as the body of an OTLP request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rrq_otel import wire
from rrq_otel.lean_span import LeanSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

SPANS_IN_A_ROW = 40
"""After these the thread lets the event loop have the interpreter for a moment."""


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """An `ExportTraceServiceRequest` with these spans."""
    origins: dict[int, _OfResource] = {}
    for start in range(0, len(spans), SPANS_IN_A_ROW):
        for span in spans[start : start + SPANS_IN_A_ROW]:
            resource, scope = span.resource, span.instrumentation_scope
            origin = origins.get(id(resource))
            if origin is None:
                origin = origins[id(resource)] = _OfResource(resource)
            body = span.encoded() if isinstance(span, LeanSpan) else None
            origin.of_scope(scope).append(wire.field(0x12, body or wire.encoded_span(span)))
        time.sleep(0)
    return b"".join(origin.encoded() for origin in origins.values())


class _OfResource:
    """The encoded spans of one resource, by scope."""

    __slots__ = ("_by_scope", "_resource")

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._by_scope: dict[int, tuple[InstrumentationScope | None, list[bytes]]] = {}

    def of_scope(self, scope: InstrumentationScope | None) -> list[bytes]:
        known = self._by_scope.get(id(scope))
        if known is None:
            known = self._by_scope[id(scope)] = (scope, [])
        return known[1]

    def encoded(self) -> bytes:
        parts = [wire.field(0x0A, wire.encoded_attributes(self._resource.attributes, 0x0A))]
        for scope, spans in self._by_scope.values():
            parts.append(wire.field(0x12, b"".join([_head(scope), *spans, _schema(0x1A, scope)])))
        parts.append(_schema(0x1A, self._resource))
        return wire.field(0x0A, b"".join(parts))


def _head(scope: InstrumentationScope | None) -> bytes:
    if scope is None:
        return wire.field(0x0A, b"")
    named = wire.field(0x0A, scope.name.encode()) + wire.text(0x12, scope.version)
    return wire.field(0x0A, named + wire.encoded_attributes(scope.attributes, 0x1A))


def _schema(tag: int, origin: Resource | InstrumentationScope | None) -> bytes:
    return wire.text(tag, origin.schema_url) if origin is not None else b""
