"""How times and lengths of time are told.

    when(moment)  # 3 m ago · 14:02:11
    iso(moment)  # 2026-07-14T12:02:11+00:00

People learn how long ago it was and what their clock said; machines get UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo


def when(moment: datetime | None, now: datetime | None = None) -> str:
    """A time for people, as in `3 m ago · 14:02:11`, on the clock of this machine and with the
    date unless it is today's; `-` for None. Naive means UTC."""
    if moment is None:
        return "-"
    now = now or datetime.now(UTC)
    return f"{roughly_ago(moment, now)} · {by_the_clock(moment, now)}"


def by_the_clock(moment: datetime, now: datetime) -> str:
    """The time on the clock of this machine, with the date unless it is that of `now`."""
    local = _on_the_clock(moment, None)
    is_today = local.date() == now.astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S}"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, or in what time, as in `3 m 20 s ago`; `-` for None. Naive means UTC."""
    if moment is None:
        return "-"
    seconds = ((now or datetime.now(UTC)) - _aware(moment)).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def roughly_ago(moment: datetime, now: datetime | None = None) -> str:
    """As `ago`, in one unit, without a fraction."""
    long = ago(moment, now)
    return re.sub(r"([0-9]+)(?:\.[0-9]+)? ([a-z]+)(?: [0-9]+ [a-z]+)?", r"\1 \2", long)


def duration(seconds: float | None) -> str:
    """A length of time in at most two units, as in `350 ms`, `1.2 s` or `2 h 5 m`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, smaller, part in _UNITS:
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def time_or_text(value: object) -> object:
    """The time that stands in a text which anybody may have written; the text if there is none."""
    try:
        return _aware(datetime.fromisoformat(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def iso(moment: datetime) -> str:
    """ISO 8601, in UTC. Naive means UTC."""
    return _on_the_clock(moment, UTC).isoformat()


_UNITS = (("d", 86_400, "h", 3_600), ("h", 3_600, "m", 60), ("m", 60, "s", 1))


def _on_the_clock(moment: datetime, zone: tzinfo | None) -> datetime:
    """The moment in a zone, None for that of this machine; unchanged on the last day of all."""
    try:
        return _aware(moment).astimezone(zone)
    except OverflowError:
        return _aware(moment)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
