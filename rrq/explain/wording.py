"""How reasons put times, errors and names into words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rrq.cli.render import duration

MOST_NAMED = 3
MOST_CHARACTERS = 200


def since(moment: datetime | None, now: datetime) -> str:
    """How long it has been so, as in `3 m 20 s`."""
    return duration(max(0.0, (now - moment).total_seconds())) if moment else "an unknown time"


def until(moment: datetime, now: datetime) -> str:
    """How long it will be, as in `3 m 20 s`."""
    return duration(max(0.0, (moment - now).total_seconds()))


def clock(moment: datetime) -> str:
    """The moment itself, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def first_line(text: str | None) -> str:
    """As much of an error as fits into a sentence."""
    line = (text or "").strip().partition("\n")[0]
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"


def named(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
