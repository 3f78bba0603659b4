"""How a table fits a terminal: who gives way first, and where it goes.

    for line in fitted(columns, width=80, cut=True): ...

A table that is too wide becomes narrower in this order: times keep only how long ago they were;
texts lose up to half of their width; then whole columns move to a line beneath each row, the
widest text first, then from the right. An id is never cut: people copy it from here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

NOTHING = "-"
"""Stands in a cell that has no value."""

GAP = 2
INDENT = 2

NARROW = 12
"""No text is cut to less than this in a table."""

WIDE = 24
"""A text may always be cut to this; a column that is wider is the first to leave the table."""


@dataclass(eq=False)
class Column:
    """One column.

    Attributes:
        heading: its name.
        cells: what stands in it, on one line each.
        short_cells: the same where there is less room.
        is_number: it stands right.
        is_whole: it is never cut.
        width: how many cells of the terminal it takes.
    """

    heading: str
    cells: Sequence[str]
    short_cells: Sequence[str]
    is_number: bool = False
    is_whole: bool = False
    width: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.width = max([width_of(self.heading), *map(width_of, self.cells)])

    @property
    def narrowest(self) -> int:
        """How wide it must be at least in a table."""
        if self.is_whole or self.is_number:
            return self.width
        return min(self.width, WIDE, max(NARROW, self.width // 2))

    def shorten(self) -> None:
        """Use the short cells, and as many lines for the heading as it has words."""
        self.cells = self.short_cells
        self.width = max([*map(width_of, self.heading.split()), *map(width_of, self.cells)])

    def heading_lines(self) -> list[str]:
        """The heading, on several lines if it is wider than the column."""
        if width_of(self.heading) <= self.width:
            return [self.heading]
        lines: list[str] = []
        for word in self.heading.split():
            if lines and width_of(lines[-1]) + 1 + width_of(word) <= self.width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    def aligned(self, text: str) -> str:
        """The text, cut if need be, and filled up to the column's width."""
        text = cut(text, self.width)
        filling = " " * (self.width - width_of(text))
        return filling + text if self.is_number else text + filling


@dataclass(frozen=True)
class Row:
    """One row: the cells of the table, and beneath it names and texts of one line or more."""

    cells: list[str]
    beneath: list[list[tuple[str, str]]]


@dataclass(frozen=True)
class Fitted:
    """A table that fits.

    Attributes:
        columns: what is left in the table.
        moved: what stands beneath each row.
        width: of the terminal.
        cuts: whether a text may lose its end.
    """

    columns: list[Column]
    moved: list[Column]
    width: int
    cuts: bool

    def headings(self) -> list[list[str]]:
        """The lines of headings, each a list of cells."""
        named = [column.heading_lines() for column in self.columns]
        height = max(map(len, named))
        padded = [[""] * (height - len(lines)) + lines for lines in named]
        return [
            [
                column.aligned(lines[number])
                for column, lines in zip(self.columns, padded, strict=True)
            ]
            for number in range(height)
        ]

    def rows(self) -> Iterator[Row]:
        """The rows, from the first to the last."""
        count = len(self.columns[0].cells)
        for number in range(count):
            cells = [column.aligned(column.cells[number]) for column in self.columns]
            yield Row(cells, self._beneath(number))

    def _beneath(self, number: int) -> list[list[tuple[str, str]]]:
        """As many names and texts on a line as fit, of those that have a value."""
        lines: list[list[tuple[str, str]]] = []
        room = 0
        for column in self.moved:
            name, text = column.heading, column.cells[number]
            if text == NOTHING:
                continue
            if self.cuts and not column.is_whole:
                text = cut(text, max(1, self.width - INDENT - width_of(name) - 1))
            taken = GAP + width_of(name) + 1 + width_of(text)
            if not lines or taken > room:
                lines.append([])
                room = self.width - INDENT + GAP
            lines[-1].append((name, text))
            room -= taken
        return lines


def fitted(columns: Sequence[Column], width: int, cuts: bool = True) -> Fitted:
    """The table made to fit so many cells of a terminal, if it can be.

    Args:
        columns: at least one; they are changed.
        width: of the terminal, in cells.
        cuts: whether texts may lose their ends; otherwise wide ones are always moved.
    """
    table, moved = list(columns), list[Column]()
    if _total([column.width for column in table]) > width:
        for column in table:
            column.shorten()

    def least() -> list[int]:
        return [column.narrowest if cuts else column.width for column in table]

    while len(table) > 1 and _total(least()) > width:
        moved.append(table.pop(_next_to_move(table)))
    _cut_widest(table, least(), width)
    if cuts and len(table) == 1 and not table[0].is_whole:
        table[0].width = min(table[0].width, width)
    moved.sort(key=list(columns).index)
    return Fitted(table, moved, width, cuts)


def cut(text: str, width: int) -> str:
    """The text, with an ellipsis for its end if it is wider than so many cells."""
    if width_of(text) <= width:
        return text
    from rich.cells import set_cell_size

    dots = ellipsis()
    return set_cell_size(text, max(0, width - len(dots))).rstrip() + dots[:width]


def ellipsis() -> str:
    """What stands for the rest, as far as the terminal's encoding has it."""
    return "…" if can_print("…") else "..."


def can_print(text: str) -> bool:
    """Whether the encoding of stdout has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _next_to_move(table: Sequence[Column]) -> int:
    """The place of the widest text, or else of the last column."""
    places = range(len(table))
    widest = max(places, key=lambda place: (not table[place].is_number, table[place].width))
    if table[widest].is_number or table[widest].width <= WIDE:
        return len(table) - 1
    return widest


def _cut_widest(table: Sequence[Column], least: Sequence[int], width: int) -> None:
    """Take from the widest that can give, cell by cell, until it fits or nobody can."""
    for column, floor in zip(table, least, strict=True):
        column.width = min(column.width, max(width, floor))
    while _total([column.width for column in table]) > width:
        able = [column for column, floor in zip(table, least, strict=True) if column.width > floor]
        if not able:
            return
        max(able, key=lambda column: column.width).width -= 1


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def width_of(text: str) -> int:
    """How many cells of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
