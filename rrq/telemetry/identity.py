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
    text = f"{backend}\n{lease_token}\n{job_id}".encode(errors="surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=8).digest()) or 1


def trace_id(job: StartedJob) -> int:
    """128 bits, never zero, for the runs of a job whose producer began no trace."""
    text = f"{job.enqueue_time}\n{job.job_id}".encode(errors="surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=16).digest()) or 1


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
        if text[:3] == "00-" and len(text) == 55 and text[35] == text[52] == "-":
            # Nearly every header: a third of the time that the pattern takes.
            try:
                raw = bytes.fromhex(text[3:35] + text[36:52] + text[53:])
            except ValueError:
                return None
            # `fromhex` passes over spaces, and takes capitals, which the header may not have.
            if len(raw) == 25 and text == text.lower() and any(raw[:16]) and any(raw[16:24]):
                return cls(int.from_bytes(raw[:16]), int.from_bytes(raw[16:24]), raw[24])
            return None
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


_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
