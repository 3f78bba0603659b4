"""`LeanSpan`: a span of RRQ's, kept as what it was made of until somebody reads more of it.

To make all parts of a span of OpenTelemetry's SDK costs as much as all the rest of a job. An
exporter that writes RRQ's spans by `encoded` needs none of them; whoever looks at such a span in
another way finds it whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from threading import Lock
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from rrq_otel import semantics, wire

MOST_PATTERNS = 1024

_becoming_whole = Lock()


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
    """What the spans of many jobs have in common, and its bytes.

    Attributes:
        own: names of further attributes, which each span has for itself.
    """

    __slots__ = ("attributes", "encoded", "kind", "name", "own")

    def __init__(
        self, name: str, kind: SpanKind, attributes: dict[str, Any], own: frozenset[str]
    ) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.own = own
        self.encoded = wire.encoded_common(name, kind, attributes)

    def takes(self, attributes: Mapping[str, Any]) -> bool:
        """Whether these can stand beside the pattern's: none of them replaces another."""
        return attributes.keys().isdisjoint(self.attributes) and self.own.isdisjoint(attributes)


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


def encoded_place(
    trace_id: str, span_id: str, parent_id: str | None, start_ns: int, end_ns: int
) -> bytes:
    """Where a span stands in its trace, below a parent in another process, and when; the ids in
    hexadecimal."""
    if parent_id is None:
        ids, flags = f"0a10{trace_id}1208{span_id}", wire.HAS_IS_REMOTE
    else:
        ids = f"0a10{trace_id}1208{span_id}2208{parent_id}"
        flags = wire.HAS_IS_REMOTE | wire.IS_REMOTE
    return bytes.fromhex(ids) + _TIMES.pack(0x39, start_ns, 0x41, end_ns, 0x85, 0x01, flags)


def encoded_identity(job_id: str) -> bytes:
    """The attributes of `semantics.identity`."""
    text = job_id.encode(errors="replace")
    before, between = _around_ids(len(text))
    return before + text + between + text


@lru_cache(maxsize=256)
def _around_ids(size: int) -> tuple[bytes, bytes]:
    """What stands before and between the two ids, which depends on nothing but their length."""
    first, second = (wire.encoded_attributes({name: "-" * size}) for name in semantics.identity(""))
    return first[: len(first) - size], second[: len(second) - size]


_TIMES = struct.Struct("<BQBQBBI")
