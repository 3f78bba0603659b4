"""`encoded_span`: a span as OTLP has it, byte by byte.

OpenTelemetry's own encoder builds a Python object for every attribute, which costs ten times as
much as the job. Here the bytes of attributes that recur are kept, and RRQ's own spans know how
they are written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, SpanContext, SpanKind

MOST_KEPT = 4096
LONGEST_KEPT = 64

_PASSING = frozenset({"rrq.job_id", "messaging.message.id"})
"""Attributes that no two spans share, of which nothing is kept."""

HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200


def encoded_span(span: ReadableSpan) -> bytes:
    """A `Span` of OTLP, without its tag and length."""
    context, parent, status = span.context, span.parent, span.status
    parts = [
        b"\x0a\x10",
        context.trace_id.to_bytes(16),
        b"\x12\x08",
        context.span_id.to_bytes(8),
    ]
    if context.trace_state:
        parts.append(text(0x1A, context.trace_state.to_header()))
    if parent is not None:
        parts += (b"\x22\x08", parent.span_id.to_bytes(8))
    parts += (text(0x2A, span.name), _KINDS[span.kind.value])
    parts.append(_TIMES.pack(0x39, span.start_time or 0, 0x41, span.end_time or 0))
    parts.append(encoded_attributes(span.attributes))
    parts.append(_count(0x50, span.dropped_attributes))
    if events := span.events:
        parts += [field(0x5A, _event(event)) for event in events]
    parts.append(_count(0x60, span.dropped_events))
    if links := span.links:
        parts += [field(0x6A, _link(link)) for link in links]
    parts.append(_count(0x70, span.dropped_links))
    if status is not None:
        code = status.status_code.value
        body = text(0x12, status.description) + (_count(0x18, code) if code else b"")
        parts.append(field(0x7A, body))
    parts.append(_FLAGS.pack(0x85, 0x01, _flags(parent)))
    return b"".join(parts)


def _event(event: Event) -> bytes:
    return (
        _TIME.pack(0x09, event.timestamp)
        + text(0x12, event.name)
        + encoded_attributes(event.attributes, 0x1A)
        + _count(0x20, event.dropped_attributes)
    )


def _link(link: Link) -> bytes:
    context = link.context
    state = context.trace_state.to_header() if context.trace_state else ""
    return (
        field(0x0A, context.trace_id.to_bytes(16))
        + field(0x12, context.span_id.to_bytes(8))
        + text(0x1A, state)
        + encoded_attributes(link.attributes, 0x22)
        + _count(0x28, getattr(link, "dropped_attributes", 0))
        + _TIME_FLAGS.pack(0x35, _flags(context))
    )


def _flags(context: SpanContext | None) -> int:
    return HAS_IS_REMOTE | (IS_REMOTE if context is not None and context.is_remote else 0)


def encoded_common(name: str, kind: SpanKind, attributes: Mapping[str, Any]) -> bytes:
    """What spans have that differ in nothing but ids, times and some attributes; their status is
    unset."""
    return b"".join(
        (text(0x2A, name), _KINDS[kind.value], encoded_attributes(attributes), field(0x7A, b""))
    )


def encoded_attributes(attributes: Mapping[str, Any] | None, tag: int = 0x4A) -> bytes:
    """Attributes as they stand in a span, or under another tag in something else."""
    if not attributes:
        return b""
    parts = []
    for key, value in attributes.items():
        if value is None:
            continue
        kind = type(value)
        keep = (kind is str and len(value) <= LONGEST_KEPT and key not in _PASSING) or (
            kind is bool or (kind is int and -1024 < value < 1024)
        )
        if keep:
            name = (tag, key, kind, value)
            known = _kept.get(name)
            if known is None:
                known = field(tag, _pair(key, value))
                if len(_kept) >= MOST_KEPT:
                    _kept.clear()
                _kept[name] = known
            parts.append(known)
        else:
            parts.append(field(tag, _pair(key, value)))
    return b"".join(parts)


def _pair(key: str, value: Any) -> bytes:
    start = _keys.get(key)
    if start is None:
        start = field(0x0A, key.encode(errors="replace"))
        if len(_keys) < MOST_KEPT:
            _keys[key] = start
    return start + field(0x12, _value(value))


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return field(0x0A, value.encode(errors="replace"))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            return _value(str(value))
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return _DOUBLE.pack(0x21, value)
    if isinstance(value, bytes):
        return field(0x3A, value)
    if isinstance(value, Mapping):
        pairs = (field(0x0A, _pair(str(key), one)) for key, one in value.items())
        return field(0x32, b"".join(pairs))
    if isinstance(value, Iterable):
        return field(0x2A, b"".join(field(0x0A, _value(one)) for one in value))
    return b"" if value is None else _value(str(value))


def text(tag: int, said: str | None) -> bytes:
    """A field with this text; nothing if there is none."""
    return field(tag, said.encode(errors="replace")) if said else b""


def _count(tag: int, number: int) -> bytes:
    return bytes((tag,)) + _varint(number) if number else b""


def field(tag: int, body: bytes) -> bytes:
    """A field of any length: its tag, its length, and the body."""
    return head(tag, len(body)) + body


@lru_cache(maxsize=4096)
def head(tag: int, size: int) -> bytes:
    """The tag and the length of a field."""
    return bytes((tag,)) + _varint(size)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 128:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_KINDS = [b"\x30" + bytes((kind + 1,)) for kind in range(5)]
_TIME = struct.Struct("<BQ")
_TIMES = struct.Struct("<BQBQ")
_FLAGS = struct.Struct("<BBI")
_TIME_FLAGS = struct.Struct("<BI")
_DOUBLE = struct.Struct("<Bd")

_kept: dict[tuple[int, str, type, Any], bytes] = {}
_keys: dict[str, bytes] = {}
