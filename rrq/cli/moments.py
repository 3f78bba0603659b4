"""Times as they are typed: `1h30m` is so long ago, `2026-01-31T12:00Z` is a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str, option: str) -> datetime | timedelta:
    """The moment, or how long ago it was.

    Raises:
        typer.BadParameter: it is neither; the message names the option.
    """
    try:
        if re.fullmatch(r"([0-9]+(\.[0-9]+)?[smhdw])+", text):
            parts = re.findall(r"([0-9.]+)([smhdw])", text)
            return timedelta(seconds=sum(float(n) * UNIT_SECONDS[unit] for n, unit in parts))
        time = datetime.fromisoformat(text)
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time: write how long ago, as 90s, 15m, 1h30m or 2d, or a moment, "
            "as 2026-01-31T12:00:00Z.",
            param_hint=option,
        ) from None


def span(
    since: datetime | timedelta | None, until: datetime | timedelta | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """The moments of `--since` and `--until` themselves.

    Raises:
        typer.BadParameter: one was before all times, or nothing is between them.
    """
    first, last = _resolved(since, now, "--since"), _resolved(until, now, "--until")
    if first is not None and last is not None and first > last:
        raise typer.BadParameter(
            "it is later than --until: nothing is between them.", param_hint="--since"
        )
    return first, last


def _resolved(when: datetime | timedelta | None, now: datetime, option: str) -> datetime | None:
    if not isinstance(when, timedelta):
        return when
    try:
        return now - when
    except OverflowError:
        raise typer.BadParameter("that is too long ago.", param_hint=option) from None
