"""`rfc3339`: a time as the text that goes to executors, thousands of times a second."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(seconds: float) -> str:
    """A time, in seconds since the epoch, in UTC and to the microsecond."""
    second = int(seconds)
    return f"{_to_the_second(second)}.{int((seconds - second) * 1e6):06d}+00:00"


@lru_cache(maxsize=256)
def _to_the_second(second: int) -> str:
    # Jobs that start together mostly end together too, as far as they may.
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
