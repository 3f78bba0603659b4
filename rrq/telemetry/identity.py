"""Ids that can be known before a span is made, and again by whoever continues the trace.

The id of a run's span follows from its lease, so that the executor can be told it at once, and
the next run can link to it; the trace id of a job that came without a trace follows from the job,
so that all its runs are in one trace.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

from rrq.telemetry.contract import StartedJob


def span_id(backend: str, job_id: str, lease_token: int) -> int:
    """64 bits, never zero, for one run's span in one backend."""
    return int(span_id_text(backend, job_id, lease_token), 16)


def span_id_text(backend: str, job_id: str, lease_token: int) -> str:
    """The same in the 16 hexadecimal digits that a `traceparent` has."""
    text = f"{backend}\n{lease_token}\n{job_id}".encode("utf-8", "surrogateescape")
    digits = blake2b(text, digest_size=8).hexdigest()
    return digits if digits != "0" * 16 else "0" * 15 + "1"


def trace_id(job: StartedJob) -> int:
    """128 bits, never zero, for the runs of a job whose producer began no trace."""
    text = f"{job.enqueue_time}\n{job.job_id}".encode(errors="surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=16).digest()) or 1


def plain_traceparent(text: str | None) -> str | None:
    """A `traceparent` header in the 55 characters of version 00, or None if it is not valid.

    In them the trace's id is `[3:35]`, the span's `[36:52]`, and the flags are `[53:55]`. Who needs
    no more than to pass the ids on is spared two large numbers.
    """
    if text and _PLAIN.fullmatch(text):
        return text
    parsed = TraceParent.parsed(text)
    return str(parsed) if parsed else None


def is_sampled(plain: str) -> bool:
    """Whether the trace of a `plain_traceparent` is sampled."""
    return plain[54] in "13579bdf"


class TraceParent(NamedTuple):
    """A W3C `traceparent`. `flags` has bit 0 set if the trace is sampled."""

    trace_id: int
    span_id: int
    flags: int

    @classmethod
    def parsed(cls, text: str | None) -> TraceParent | None:
        """What a header says, or None if there is none or it is not valid."""
        if not text:
            return None
        if _PLAIN.fullmatch(text):
            return cls(int(text[3:35], 16), int(text[36:52], 16), int(text[53:], 16))
        found = _TRACEPARENT.fullmatch(text)
        if found is None:
            return None
        version, trace, span, flags, rest = found.groups()
        parent = cls(int(trace, 16), int(span, 16), int(flags, 16))
        if version == "ff" or (version == "00" and rest) or not (parent[0] and parent[1]):
            return None
        return parent

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"


_PLAIN = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
