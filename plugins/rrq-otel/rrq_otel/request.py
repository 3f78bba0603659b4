"""`encoded`: spans as the body of an OTLP request."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan

from rrq_otel import wire
from rrq_otel.lean_span import LeanSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

HOLD_SECONDS = 0.0005
"""After these the thread lets the event loop have the interpreter for a moment."""


class WrittenSpans(ReadableSpan):
    """Spans of one maker that were written when they ended, among others in a batch.

    Args:
        written: each as a field of a `ScopeSpans`, with its tag and length.
    """

    def __init__(
        self, written: Sequence[bytes], resource: Resource, scope: InstrumentationScope
    ) -> None:
        self.written = written
        self._resource = resource
        self._instrumentation_scope = scope


def count(spans: Sequence[ReadableSpan]) -> int:
    """How many spans a batch has."""
    return sum(len(one.written) if isinstance(one, WrittenSpans) else 1 for one in spans)


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """An `ExportTraceServiceRequest` with these spans."""
    groups: dict[tuple[int, int], _Group] = {}
    group: _Group | None = None
    hold_until = time.monotonic() + HOLD_SECONDS
    for span in spans:
        resource, scope = span.resource, span.instrumentation_scope
        if group is None or group.resource is not resource or group.scope is not scope:
            group = groups.setdefault((id(resource), id(scope)), _Group(resource, scope))
        if isinstance(span, WrittenSpans):
            group.spans += span.written
            continue
        body = span.encoded() if isinstance(span, LeanSpan) else None
        if body is None:
            body = wire.encoded_span(span)
        group.spans += (wire.head(0x12, len(body)), body)
        if time.monotonic() > hold_until:
            time.sleep(0)
            hold_until = time.monotonic() + HOLD_SECONDS
    request: list[bytes] = []
    for _, of_resource in groupby(_by_resource(groups.values()), lambda one: id(one.resource)):
        request += _of_resource(list(of_resource))
    return b"".join(request)


@dataclass(slots=True)
class _Group:
    """The spans of one resource and scope, in pieces."""

    resource: Resource
    scope: InstrumentationScope | None
    spans: list[bytes] = field(default_factory=list)


def _by_resource(groups: Iterable[_Group]) -> list[_Group]:
    order: dict[int, int] = {}
    return sorted(groups, key=lambda one: order.setdefault(id(one.resource), len(order)))


def _of_resource(groups: list[_Group]) -> list[bytes]:
    resource = groups[0].resource
    pieces = [wire.field(0x0A, wire.encoded_attributes(resource.attributes, 0x0A))]
    for group in groups:
        pieces += _enclosed(0x12, [_head(group.scope), *group.spans, _schema(group.scope)])
    return _enclosed(0x0A, [*pieces, _schema(resource)])


def _head(scope: InstrumentationScope | None) -> bytes:
    if scope is None:
        return wire.field(0x0A, b"")
    named = wire.field(0x0A, scope.name.encode()) + wire.text(0x12, scope.version)
    return wire.field(0x0A, named + wire.encoded_attributes(scope.attributes, 0x1A))


def _schema(origin: Resource | InstrumentationScope | None) -> bytes:
    return b"" if origin is None else wire.text(0x1A, origin.schema_url)


def _enclosed(tag: int, pieces: list[bytes]) -> list[bytes]:
    """The pieces of a field, as they are many and large: they are joined once, at the end."""
    return [wire.head(tag, sum(map(len, pieces))), *pieces]
