"""`frame`: one look as plain text, for pipes, logs and tests."""

from __future__ import annotations

from rrq_top.grid import Grid, arranged, text_lines
from rrq_top.headline import ViewState, headline
from rrq_top.panes import panes
from rrq_top.snapshot import Snapshot


def frame(snapshot: Snapshot, width: int | None = None) -> str:
    """The header and all rows of the four panes.

    Args:
        width: of the terminal; None cuts nothing, for people copy ids from here.
    """
    head = headline(snapshot, ViewState())
    parts = ["".join(text for text, _ in line) for line in head]
    for grid in panes(snapshot):
        parts += ["", *section(grid, width)]
    return "\n".join(parts)


def section(grid: Grid, width: int | None) -> list[str]:
    """A grid under its title."""
    return [f"{grid.title}: {grid.summary}", *text_lines(arranged(grid), width)]
