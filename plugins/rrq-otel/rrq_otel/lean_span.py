"""`LeanSpan`: a span of RRQ's, kept as what it was made of until somebody reads more of it.

To make all parts of a span of OpenTelemetry's SDK costs as much as all the rest of a job. An
exporter that writes RRQ's spans by `encoded` needs none of them; whoever looks at such a span in
another way finds it whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from rrq_otel import semantics, wire

MOST_PATTERNS = 1024

_becoming_whole = Lock()

_FLAGS = struct.Struct("<BBI")

_Layout = tuple[Callable[..., bytes], bytes, bytes]
"""What writes spans of which everything but ids, times and figures is the same and lies at the same
place; and what it is to write before and between the two ids of the job."""


class LeanSpan(ReadableSpan):
    """A span whose constructor keeps only what it was given.

    It needs `_resource` and `_instrumentation_scope`; all other parts of a `ReadableSpan` come of
    `_whole`, when the first of them is asked for. It is always of a trace that is sampled.

    Attributes:
        is_whole: whether all its parts have been made.
    """

    is_whole = False

    def encoded(self) -> bytes | None:
        """The span as OTLP has it; None if it is out of the ordinary, and written as others are."""
        raise NotImplementedError

    def _whole(self) -> ReadableSpan:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        parts = self.__dict__
        if name.startswith("_") and not name.startswith("__"):
            with _becoming_whole:
                if not self.is_whole:
                    # What is there already stands, as do the times of a span that runs.
                    parts.update({**vars(self._whole()), **parts, "is_whole": True})
            if name in parts:
                return parts[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class Pattern:
    """What the spans of many jobs have in common, and how they are written.

    Args:
        figures: names of attributes that are a number in each span.

    Attributes:
        own: names of the attributes that each span has for itself.
    """

    __slots__ = ("_figures", "_layouts", "_written", "attributes", "kind", "name", "own")

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Any],
        figures: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.own = frozenset((*semantics.identity(""), *figures))
        self._figures = figures
        self._written = wire.encoded_common(name, kind, attributes)
        self._layouts: dict[int, _Layout] = {}

    def _takes(self, attributes: Mapping[str, Any]) -> bool:
        return attributes.keys().isdisjoint(self.attributes) and self.own.isdisjoint(attributes)

    def encoded(
        self,
        own: str,
        parent_id: str,
        start_ns: int,
        end_ns: int,
        job_id: str,
        attributes: Mapping[str, Any],
        *figures: bytes | float,
    ) -> bytes | None:
        """A span of this pattern, as `wire.encoded_span` would have it; None if it has attributes
        that replace others.

        Args:
            own: its ids, as a `plain_traceparent`.
            parent_id: of the parent in another process, in hexadecimal; empty if there is none.
            attributes: those that it has beside the pattern's.
            figures: `name_of_figure` of each, and the number.
        """
        if attributes and not self._takes(attributes):
            return None
        job = job_id.encode(errors="replace")
        place = 2 * len(job) + (parent_id != "")
        layout = self._layouts.get(place)
        if layout is None:
            layout = self._layouts[place] = self._layout(len(job), parent_id != "")
        pack, before, between = layout
        parent = f"2208{parent_id}" if parent_id else ""
        ids = bytes.fromhex(f"0a10{own[3:35]}1208{own[36:52]}{parent}39")
        written = pack(ids, start_ns, 0x41, end_ns, before, job, between, job, *figures)
        return written + wire.encoded_attributes(attributes) if attributes else written

    def _layout(self, size: int, has_parent: bool) -> _Layout:
        """Of the spans with or without a parent, of jobs whose id has so many bytes."""
        flags = wire.HAS_IS_REMOTE | (wire.IS_REMOTE if has_parent else 0)
        first, second = (
            wire.encoded_attributes({name: "-" * size}) for name in semantics.identity("")
        )
        before = _FLAGS.pack(0x85, 0x01, flags) + self._written + first[: len(first) - size]
        between = second[: len(second) - size]
        ids = 39 if has_parent else 29
        text = f"<{ids}sQBQ{len(before)}s{size}s{len(between)}s{size}s"
        figures = "".join(f"{len(name_of_figure(name))}sd" for name in self._figures)
        return struct.Struct(text + figures).pack, before, between


def name_of_figure(name: str) -> bytes:
    """An attribute that is a number, up to the number."""
    return wire.encoded_attributes({name: 0.0})[:-8]


class Patterns:
    """Finds a pattern again by what it was made of."""

    def __init__(self, made_of: Callable[..., Pattern]) -> None:
        self._made_of = made_of
        self._known: dict[Hashable, Pattern] = {}

    def get(self, *parts: Hashable) -> Pattern:
        """The pattern that is made of these parts."""
        pattern = self._known.get(parts)
        if pattern is None:
            if len(self._known) >= MOST_PATTERNS:
                self._known.clear()
            pattern = self._known[parts] = self._made_of(*parts)
        return pattern
