"""Short texts for narrow columns: counts, rates, ages, bars. Everything from a job is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rrq.cli.render import printable
from rrq.store.keys import WORKER_ID_PREFIX

NOTHING = "-"
BAR_CELLS = 10
LONGEST_TEXT = 500
"""No text of a job takes part in a table with more of it than this."""


def one_line(text: str | None) -> str:
    """The first line of a text from a job, without anything that a terminal obeys."""
    first = (text or "").strip().partition("\n")[0]
    return printable(first[:LONGEST_TEXT]) or NOTHING


def count(number: float | None) -> str:
    """A whole number in at most seven characters, as in `12,345` or `1.23M`."""
    if number is None:
        return NOTHING
    whole = round(number)
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if whole >= size:
            return f"{whole / size:.2f}{unit}"
    return f"{whole:,}"


def rate(number: float | None) -> str:
    """How often something happens, in three digits or so: `0`, `0.02`, `1.7`, `210`, `12,345`."""
    if number is None:
        return NOTHING
    if number >= 99.5:
        return count(number)
    if number >= 9.95:
        return f"{number:.0f}"
    if number >= 0.995:
        return f"{number:.1f}"
    return f"{number:.2f}" if number >= 0.005 else "0" if number <= 0 else "<0.01"


def times(number: float) -> str:
    """How often something happened in a window, whose oldest part may count only in part."""
    return count(number) if number >= 0.5 or number <= 0 else "<1"


def age(seconds: float | None) -> str:
    """A length of time in at most six characters: `350ms`, `1.2s`, `59s`, `3m20s`, `2h05m`."""
    if seconds is None:
        return NOTHING
    if seconds < 0:
        return f"-{age(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3_600}h{whole % 3_600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3_600:02}h"


def since(moment: datetime | None, now: datetime) -> float | None:
    """How many seconds ago it was; negative if it is still to come."""
    return None if moment is None else (now - moment).total_seconds()


def clock(moment: datetime) -> str:
    """The time of day of this machine's zone, as in `14:03:22`."""
    return f"{moment.astimezone():%H:%M:%S}"


def short_worker(worker_id: str | None) -> str:
    """Enough of a worker's id to tell it from others."""
    return one_line((worker_id or "").removeprefix(WORKER_ID_PREFIX)[:12])


def bar(share: float, cells: int = BAR_CELLS) -> str:
    """How far something is, between 0 and 1, as in `█████░░░░░`."""
    full = round(min(1.0, max(0.0, share)) * cells)
    return "█" * full + "░" * (cells - full)


def share_done(progress: Mapping[str, Any]) -> float | None:
    """How far a job says it is, between 0 and 1; None if it does not say."""
    current, total = progress.get("current"), progress.get("total")
    if not isinstance(current, int | float) or not isinstance(total, int | float) or total <= 0:
        return None
    return min(1.0, max(0.0, current / total))


def told_progress(progress: Mapping[str, Any]) -> str:
    """What a handler reported, as in `3/10 third page`."""
    current, total, message = (progress.get(name) for name in ("current", "total", "message"))
    amount = "" if current is None else _number(current)
    if amount and total is not None:
        amount += f"/{_number(total)}"
    text = "" if message is None else one_line(str(message))
    return " ".join(filter(None, [amount, text])) or NOTHING


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """As in `1 worker` or `3 workers`."""
    return f"{count(number)} {noun if number == 1 else plural or f'{noun}s'}"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else one_line(str(value)[:40])
