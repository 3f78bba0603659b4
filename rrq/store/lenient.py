"""Fields of a job's hash for those who only show them: what cannot be read is None."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from rrq.store.codec import read_time
from rrq.store.replies import text


def text_of(raw: bytes | None) -> str | None:
    """The text of a field; one that is empty is not set."""
    return text(raw) if raw else None


def time_of(raw: bytes | None) -> datetime | None:
    """The time of a field."""
    try:
        return read_time(raw) if raw else None
    except (ValueError, OverflowError):
        return None


def number_of(raw: bytes | None) -> float | None:
    """The number of a field, if it is a finite one."""
    try:
        number = float(raw) if raw else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < 1e15 else None


def count_of(raw: bytes | None) -> int | None:
    """The whole number of a field, if it is one of less than ten digits."""
    return int(raw) if raw and raw.isdigit() and len(raw) < 10 else None


def progress_of(raw: bytes | None) -> dict[str, Any]:
    """What a running job's handler reported; empty if nothing."""
    try:
        progress = msgspec.json.decode(raw) if raw else {}
    except (ValueError, RecursionError):
        return {}
    return progress if isinstance(progress, dict) else {}


def later(moment: datetime | None, seconds: float) -> datetime | None:
    """So many seconds after a moment; None if there is none, or after all times."""
    try:
        return moment + timedelta(seconds=seconds) if moment else None
    except OverflowError:
        return None
