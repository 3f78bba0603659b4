"""Figures of the last minutes, as lines and cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rrq.store.statistics import Times, Window
from rrq_top.grid import Cell, Column, Grid, Row, text_lines
from rrq_top.headline import Span
from rrq_top.wording import NOTHING, age, count, rate

WINDOW_COLUMNS = (
    Column("last", "LAST"),
    Column("rate", "DONE/S", is_number=True),
    *(
        Column(event, event.upper(), is_number=True)
        for event in ("completed", "failed", "retried", "lost")
    ),
    Column("wait", "WAIT 50/95/99", is_number=True),
    Column("run", "RUN 50/95/99", is_number=True),
)


def windows_lines(windows: Sequence[Window]) -> list[list[Span]]:
    """A line for each window, under one with headings."""
    rows = [
        Row(
            key=str(window.minutes),
            cells=(
                Cell(f"{window.minutes} min"),
                Cell(rate(window.per_second("completed"))),
                *(
                    Cell(count(window.events[event]))
                    for event in ("completed", "failed", "retried", "lost")
                ),
                Cell(_percentiles(window.wait)),
                Cell(_percentiles(window.run)),
            ),
        )
        for window in windows
    ]
    heading, *lines = text_lines(Grid("", WINDOW_COLUMNS, tuple(rows)))
    return [[(heading, "dim")], *([_plain(line)] for line in lines)]


def _plain(text: str) -> Span:
    return text, "plain"


def totals_line(totals: Counter[str]) -> list[Span]:
    """How often each event happened."""
    spans: list[Span] = [("in all: ", "dim")]
    events = ("enqueued", "completed", "failed", "dead_lettered", "lost", "cancelled")
    told = [
        f"{count(totals[event])} {event.replace('_', ' ')}" for event in events if totals[event]
    ]
    spans.append((", ".join(told) or "nothing yet", "plain"))
    return spans


def _percentiles(times: Times) -> str:
    figures = [times.percentile_ms(percent) for percent in (50, 95, 99)]
    if figures[0] is None:
        return NOTHING
    return "/".join(age((figure or 0) / 1000) for figure in figures)


def percentile(times: Times, percent: float) -> Cell:
    """The time that so many of a hundred do not exceed."""
    milliseconds = times.percentile_ms(percent)
    if milliseconds is None:
        return Cell(NOTHING, "dim")
    return Cell(age(milliseconds / 1000), order=milliseconds)
