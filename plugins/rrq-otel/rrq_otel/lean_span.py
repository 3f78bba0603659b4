"""`LeanSpan`: an ended span most of whose attributes are those of many others, kept once."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status

MOST_KEPT = 1024


class Kept:
    """Attributes that many spans share, and their bytes."""

    __slots__ = ("attributes", "encoded")

    def __init__(self, attributes: dict[str, Any]) -> None:
        from rrq_otel.wire import encoded_attributes

        self.attributes = attributes
        self.encoded = encoded_attributes(attributes)


class KeptAttributes:
    """Finds the kept attributes again by what they were made of."""

    def __init__(self, made_of: Callable[..., dict[str, Any]]) -> None:
        self._made_of = made_of
        self._known: dict[Hashable, Kept] = {}

    def get(self, *parts: Hashable) -> Kept:
        """Those that are made of these parts."""
        kept = self._known.get(parts)
        if kept is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            kept = self._known[parts] = Kept(self._made_of(*parts))
        return kept


class LeanSpan(ReadableSpan):
    """An ended span for span processors, made without a tracer.

    Attributes:
        kept: the attributes that it shares with others.
        passing: its own.
    """

    def __init__(
        self,
        name: str,
        *,
        context: SpanContext,
        parent: SpanContext | None,
        resource: Resource,
        scope: InstrumentationScope,
        kind: SpanKind,
        kept: Kept,
        passing: dict[str, Any],
        events: Sequence[Event],
        links: Sequence[Link],
        status: Status,
        start_ns: int,
        end_ns: int,
    ) -> None:
        both: Mapping[str, Any] = ChainMap(passing, kept.attributes)
        super().__init__(
            name,
            context=context,
            parent=parent,
            resource=resource,
            attributes=both,
            events=events,
            links=links,
            kind=kind,
            status=status,
            start_time=start_ns,
            end_time=end_ns,
            instrumentation_scope=scope,
        )
        self.kept = kept
        self.passing = passing
