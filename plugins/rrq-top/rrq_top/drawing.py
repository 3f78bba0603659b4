"""Drawing spans on a terminal: colours by tone, and lines that are cut or folded to a width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget

from rrq.cli.layout import width_of
from rrq_top.grid import Tone, cut
from rrq_top.headline import Span

STYLES: dict[Tone, Style] = {
    "plain": Style(),
    "dim": Style(dim=True),
    "strong": Style(bold=True),
    "good": Style(color="green"),
    "warning": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
}
"""The terminal's own colours, which fit its background whatever that is."""

SELECTED = Style(reverse=True)


def strip_of(spans: Sequence[Span], width: int, style: Style | None = None) -> Strip:
    """One line of exactly so many cells, cut with an ellipsis if need be.

    Args:
        style: of the whole line, under the tones.
    """
    base = style or Style()
    segments: list[Segment] = []
    left = width
    for text, tone in spans:
        if left <= 0:
            break
        part = cut(text, left)
        left -= width_of(part)
        segments.append(Segment(part, base + STYLES[tone]))
    segments.append(Segment(" " * max(0, left), base))
    return Strip(segments, width)


def folded(spans: Sequence[Span], width: int, indent: int) -> list[list[Span]]:
    """The line on as many lines as it needs, all but the first with an indent.

    Only the last span is folded, at any character: the others are short.
    """
    *names, (text, tone) = spans or [("", "plain")]
    taken = sum(width_of(name) for name, _ in names)
    first_room, room = max(1, width - taken), max(1, width - indent)
    if width_of(text) <= first_room:
        return [list(spans)]
    first, *_ = chop_cells(text, first_room)
    rest = chop_cells(text[len(first) :], room)
    return [[*names, (first, tone)], *([(" " * indent, "plain"), (one, tone)] for one in rest)]


class Lines(Widget):
    """Lines of spans, cut to the width; as high as there are lines."""

    DEFAULT_CSS = "Lines { height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[list[Span]] = []

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def show(self, lines: Sequence[Sequence[Span]]) -> None:
        """Draw these from now on."""
        new = [list(line) for line in lines]
        height_changed = len(new) != len(self._lines)
        self._lines = new
        if height_changed:
            self.styles.height = len(new)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        spans = self._lines[y] if y < len(self._lines) else []
        return strip_of(spans, self.size.width)


class Folded(Widget, can_focus=True):
    """Lines of spans that are folded to the width and can be scrolled with the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(-1)", "", show=False),
        Binding("down,j", "scroll_by(1)", "", show=False),
        Binding("pageup", "page(-1)", "", show=False),
        Binding("pagedown", "page(1)", "", show=False),
        Binding("home", "scroll_by(-1000000)", "", show=False),
        Binding("end", "scroll_by(1000000)", "", show=False),
    ]
    DEFAULT_CSS = "Folded { height: 1fr; }"

    def __init__(self, *, indent: int = 0, id: str | None = None) -> None:
        super().__init__(id=id)
        self._indent = indent
        self._given: list[list[Span]] = []
        self._folded: list[list[Span]] = []
        self._top = 0

    def show(self, lines: Sequence[Sequence[Span]]) -> None:
        """Draw these from now on; the place is kept."""
        self._given = [list(line) for line in lines]
        self._fold()

    def on_resize(self) -> None:
        """Fold to the new width."""
        self._fold()

    def action_scroll_by(self, lines: int) -> None:
        """Go so many lines down."""
        self._top = max(0, min(self._top + lines, len(self._folded) - self.size.height))
        self.refresh()

    def action_page(self, pages: int) -> None:
        """Go so many pages down."""
        self.action_scroll_by(pages * max(1, self.size.height - 1))

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        place = self._top + y
        if y == self.size.height - 1 and (hidden := len(self._folded) - place - 1) > 0:
            more = f"… {hidden + 1} more lines (arrows, PgDn)"
            return strip_of([(more, "dim")], self.size.width)
        spans = self._folded[place] if place < len(self._folded) else []
        return strip_of(spans, self.size.width)

    def _fold(self) -> None:
        width = self.size.width
        self._folded = [
            part for line in self._given for part in folded(line, width or 80, self._indent)
        ]
        self.action_scroll_by(0)
