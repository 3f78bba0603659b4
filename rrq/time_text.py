"""`rfc3339`: a time as the text that goes to executors, thousands of times a second."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z."""


def rfc3339(seconds: float) -> str:
    """A time, in seconds since the epoch, in UTC and to the microsecond; one that is later than
    RFC 3339 can tell is written as the last second that it can."""
    seconds = min(seconds, LAST_SECOND)
    second = int(seconds)
    return f"{_to_the_second(second)}.{int((seconds - second) * 1e6):06d}+00:00"


@lru_cache(maxsize=256)
def _to_the_second(second: int) -> str:
    # Jobs that start together mostly end together too, as far as they may.
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
