"""`Grid`: a table as pure data, and how it is chosen from, sorted and fitted to a width.

    lines = text_lines(grid, width=80)

Panes and pages are grids; the widgets and the plain frame only draw them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rich.cells import set_cell_size

from rrq.cli.layout import width_of

Tone = Literal["plain", "dim", "strong", "good", "warning", "bad"]
"""What a text is like; the widgets give each its colour."""

GAP = 1
"""Cells of the terminal between two columns."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table, escaped already.

    Attributes:
        text: on one line.
        order: what it is sorted by; None, as for a value that is not known, is always last.
    """

    text: str
    tone: Tone = "plain"
    order: float | str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table.

    Attributes:
        key: tells it from all others, whatever its place.
        words: what a filter looks for its text in.
    """

    key: str
    cells: tuple[Cell, ...]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: how `Sorting` calls it.
        is_number: its cells stand right, and the greatest come first when it is sorted by.
        least: it is not made narrower than this.
        most: it is not made wider than this.
        leaves: the column with the highest number is the first to be left out where there is no
            room; 0 never is.
    """

    name: str
    heading: str
    is_number: bool = False
    least: int = 6
    most: int = 60
    leaves: int = 0


@dataclass(frozen=True, slots=True)
class Sorting:
    """What a table is sorted by."""

    column: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table.

    Attributes:
        title: what its rows are.
        summary: what is to be said of them all, on one line.
        empty: said when there is no row.
        sorting: how it is sorted unless somebody chooses otherwise.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    summary: str = ""
    empty: str = "Nothing."
    sorting: Sorting | None = None


def arranged(grid: Grid, sorting: Sorting | None = None, text: str = "") -> Grid:
    """The grid with the rows that have the text, in upper or lower case, sorted."""
    rows = list(grid.rows)
    if text:
        rows = [row for row in rows if text.casefold() in row.words.casefold()]
    sorting = sorting or grid.sorting
    place = next((n for n, one in enumerate(grid.columns) if one.name == _by(sorting)), None)
    if sorting and place is not None:
        known = [row for row in rows if row.cells[place].order is not None]
        unknown = [row for row in rows if row.cells[place].order is None]
        # Equal ones keep the order that they come in, in either direction.
        known.sort(key=lambda row: _rank(row.cells[place]), reverse=sorting.is_descending)
        rows = known + unknown
    return replace(grid, rows=tuple(rows), sorting=sorting)


def next_sorting(grid: Grid, sorting: Sorting | None, step: int) -> Sorting:
    """Sorted by the column that is so many steps to the right, in that column's own direction."""
    names = [column.name for column in grid.columns]
    name = _by(sorting or grid.sorting)
    place = names.index(name) if name in names else -1 if step > 0 else 0
    column = grid.columns[(place + step) % len(names)]
    return Sorting(column.name, column.is_number)


def widths(
    grid: Grid, width: int | None = None, at_least: Mapping[str, int] | None = None
) -> dict[str, int]:
    """How wide each column is, in cells of the terminal; those without room are left out.

    Args:
        width: what there is; None is without end.
        at_least: how wide a column was before, so that it does not jump with every look.
    """
    wanted = {
        column.name: max(
            [
                width_of(column.heading),
                (at_least or {}).get(column.name, 0),
                *(min(width_of(row.cells[n].text), _most(column, width)) for row in grid.rows),
            ]
        )
        for n, column in enumerate(grid.columns)
    }
    if width is None:
        return wanted
    left = list(grid.columns)
    while _total(_least(one, wanted) for one in left) > width:
        first = max(left, key=lambda one: one.leaves)
        if not first.leaves:
            break
        left.remove(first)
    return _shrunk(left, wanted, width)


def text_lines(grid: Grid, width: int | None = None) -> list[str]:
    """The grid as plain lines, its headings first; one line says so if there is no row."""
    if not grid.rows:
        return [grid.empty]
    fitted = widths(grid, width)
    headings = [aligned(one.heading, fitted[one.name], one) for one in shown(grid, fitted)]
    places = [(n, one) for n, one in enumerate(grid.columns) if one.name in fitted]
    rows = [
        [aligned(row.cells[n].text, fitted[one.name], one) for n, one in places]
        for row in grid.rows
    ]
    return [(" " * GAP).join(line).rstrip() for line in [headings, *rows]]


def shown(grid: Grid, fitted: Mapping[str, int]) -> list[Column]:
    """The columns that have a width."""
    return [column for column in grid.columns if column.name in fitted]


def aligned(text: str, width: int, column: Column) -> str:
    """The text in exactly so many cells, with an ellipsis for what is cut off."""
    text = cut(text, width)
    filling = " " * (width - width_of(text))
    return filling + text if column.is_number else text + filling


def cut(text: str, width: int) -> str:
    """The text, with an ellipsis for its end if it is wider than so many cells."""
    if width_of(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"[:width]


@dataclass(slots=True)
class Remembered:
    """How wide the columns of one table have been, so that they only grow until `forget`."""

    widths: dict[str, int] = field(default_factory=dict)

    def fit(self, grid: Grid, width: int) -> dict[str, int]:
        """The widths of the columns, and remember them."""
        for name, one in widths(grid).items():
            self.widths[name] = max(one, self.widths.get(name, 0))
        return widths(grid, width, self.widths)

    def forget(self) -> None:
        """Begin anew: other columns, or another width."""
        self.widths.clear()


def _by(sorting: Sorting | None) -> str:
    return sorting.column if sorting else ""


def _rank(cell: Cell) -> tuple[bool, float, str]:
    order = cell.order
    return (False, order, "") if isinstance(order, int | float) else (True, 0.0, str(order))


def _most(column: Column, width: int | None) -> int:
    return column.most if width is not None else 10**6


def _least(column: Column, wanted: Mapping[str, int]) -> int:
    if column.is_number:
        return wanted[column.name]
    return min(wanted[column.name], column.least)


def _total(each: Iterable[int]) -> int:
    cells = list(each)
    return sum(cells) + GAP * max(0, len(cells) - 1)


def _shrunk(columns: Sequence[Column], wanted: Mapping[str, int], width: int) -> dict[str, int]:
    """Take from the widest text, cell by cell, until all fit or nobody can give any more."""
    fitted = {column.name: wanted[column.name] for column in columns}
    floor = {column.name: _least(column, wanted) for column in columns}
    while _total(fitted.values()) > width:
        able = [name for name in fitted if fitted[name] > floor[name]]
        if not able:
            break
        fitted[max(able, key=lambda name: fitted[name])] -= 1
    return fitted
