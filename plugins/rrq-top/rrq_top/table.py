"""`Table`: a grid on the screen, with a row to choose, a column to sort by and a text to filter by.

Its first line is its title, which stays when there is no room for more.
"""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from rrq.cli.layout import width_of
from rrq_top.drawing import SELECTED, strip_of
from rrq_top.grid import (
    GAP,
    Grid,
    Remembered,
    Row,
    Sorting,
    aligned,
    arranged,
    next_sorting,
    shown,
)
from rrq_top.headline import Span

TITLE_LINES = 2
"""The title, and the headings of the columns."""


class Table(Widget, can_focus=True):
    """Rows of a grid.

    Args:
        number: the key that brings the focus here.
        title: shown until there is a grid.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "", show=False),
        Binding("down,j", "move(1)", "", show=False),
        Binding("pageup", "move_page(-1)", "", show=False),
        Binding("pagedown", "move_page(1)", "", show=False),
        Binding("home", "move(-1000000)", "", show=False),
        Binding("end", "move(1000000)", "", show=False),
        Binding("enter", "open", "", show=False),
        Binding("s,right", "sort(1)", "", show=False),
        Binding("left", "sort(-1)", "", show=False),
        Binding("r", "reverse", "", show=False),
    ]
    DEFAULT_CSS = "Table { height: 1fr; }"

    class Opened(Message):
        """Somebody wants to see what is behind a row."""

        def __init__(self, table: Table, row: Row) -> None:
            super().__init__()
            self.table = table
            self.row = row

    def __init__(self, *, title: str, number: int | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self._number = number
        self._given = Grid(title=title, columns=(), summary="asking")
        self._grid = self._given
        self._sorting: Sorting | None = None
        self._filter = ""
        self._cursor = 0
        self._top = 0
        self._remembered = Remembered()
        self._widths: dict[str, int] = {}

    # -- what is shown ------------------------------------------------------------------

    def show(self, grid: Grid) -> None:
        """Draw this from now on; the chosen row, sorting and filter stay."""
        chosen = self.chosen
        self._given = grid
        self._grid = arranged(grid, self._sorting, self._filter)
        keys = [row.key for row in self._grid.rows]
        if chosen and chosen.key in keys:
            self._cursor = keys.index(chosen.key)
        self._fit()

    def filter(self, text: str) -> None:
        """Show only rows with this text from now on; all if it is empty."""
        self._filter = text
        self.show(self._given)

    def choose(self, key: str) -> None:
        """Choose the row of this key, if there is one."""
        keys = [row.key for row in self._grid.rows]
        if key in keys:
            self._cursor = keys.index(key)
            self._fit()

    @property
    def chosen(self) -> Row | None:
        """The row that the keys work on."""
        rows = self._grid.rows
        return rows[min(self._cursor, len(rows) - 1)] if rows else None

    @property
    def lines_wanted(self) -> int:
        """How many lines of the screen it takes to show all."""
        return TITLE_LINES + max(1, len(self._grid.rows))

    def on_resize(self) -> None:
        """Fit to the new size."""
        self._remembered.forget()
        self._fit()

    # -- keys ---------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Choose the row so many rows down."""
        self._cursor = max(0, min(self._cursor + rows, len(self._grid.rows) - 1))
        self._fit()

    def action_move_page(self, pages: int) -> None:
        """Choose the row so many pages down."""
        self.action_move(pages * max(1, self._room))

    def action_open(self) -> None:
        """Tell that somebody wants to see what is behind the chosen row."""
        if row := self.chosen:
            self.post_message(self.Opened(self, row))

    def action_sort(self, columns: int) -> None:
        """Sort by the column so many columns to the right, among those that are shown."""
        visible = Grid("", tuple(shown(self._given, self._widths))) if self._widths else self._given
        if visible.columns:
            self._sorting = next_sorting(visible, self._sorting or self._given.sorting, columns)
            self.show(self._given)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        if sorting := self._grid.sorting:
            self._sorting = Sorting(sorting.column, not sorting.is_descending)
            self.show(self._given)

    # -- drawing ------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return max(0, self.size.height - TITLE_LINES)

    def _fit(self) -> None:
        count, room = len(self._grid.rows), self._room
        self._cursor = max(0, min(self._cursor, count - 1))
        if room:
            # The chosen row is in sight, and no line is wasted at the end.
            self._top = max(self._cursor - room + 1, min(self._top, self._cursor))
            self._top = max(0, min(self._top, count - room))
        if self.size.width:
            self._widths = self._remembered.fit(self._grid, self.size.width - GAP)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The title, the headings, or a row."""
        width = self.size.width
        if y == 0:
            style = Style(reverse=True, bold=True) if self.has_focus else Style(bold=True)
            return strip_of(self._title(), width, style)
        if y == 1:
            return strip_of(self._headings(), width, Style(underline=True))
        place = self._top + y - TITLE_LINES
        if place < len(self._grid.rows):
            is_chosen = place == self._cursor and self.has_focus
            spans = self._cells(self._grid.rows[place])
            if is_chosen:
                # Colours of their own would be hard to read in the bar.
                spans = [(text, "plain") for text, _ in spans]
            return strip_of(spans, width, SELECTED if is_chosen else None)
        if place == 0:
            given = len(self._given.rows)
            empty = self._grid.empty if not given else f"None of {given} has the filter's text."
            return strip_of([(f" {empty}", "dim")], width)
        return strip_of([], width)

    def _title(self) -> list[Span]:
        grid = self._grid
        mark = "▾" if self.size.height > 1 else "▸"
        number = f"{self._number} " if self._number else ""
        spans: list[Span] = [(f"{mark} {number}{grid.title}  ", "plain"), (grid.summary, "plain")]
        count = len(grid.rows)
        hidden = count - self._room
        right = ""
        if hidden > 0 and self._room:
            right = f" {self._top + 1}-{self._top + self._room} of {count} "
        elif self._filter and count < len(self._given.rows):
            right = f" {count} of {len(self._given.rows)} "
        taken = sum(width_of(text) for text, _ in spans)
        filling = self.size.width - taken - len(right)
        return [*spans, (" " * filling + right, "plain")] if filling > 0 else spans

    def _headings(self) -> list[Span]:
        sorting = self._grid.sorting
        spans: list[Span] = []
        for column in shown(self._grid, self._widths):
            width = self._widths[column.name]
            if sorting is None or sorting.column != column.name:
                spans.append((aligned(column.heading, width, column) + " " * GAP, "dim"))
                continue
            mark = "▼" if sorting.is_descending else "▲"
            if column.is_number:
                spans.append((aligned(column.heading, width, column) + mark, "strong"))
            else:
                spans.append((aligned(column.heading + mark, width + GAP, column), "strong"))
        return spans

    def _cells(self, row: Row) -> list[Span]:
        columns = self._grid.columns
        return [
            (aligned(cell.text, self._widths[column.name], column) + " " * GAP, cell.tone)
            for column, cell in zip(columns, row.cells, strict=True)
            if column.name in self._widths
        ]
