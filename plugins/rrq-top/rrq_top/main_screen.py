"""`MainScreen`: the four panes, and what the keys do there."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import DescendantFocus
from textual.widgets import Input

from rrq_top.drawing import Lines
from rrq_top.headline import Span
from rrq_top.page_screens import (
    JobScreen,
    cron_screen,
    failure_screen,
    functions_screen,
    queue_screen,
    worker_screen,
)
from rrq_top.panes import panes
from rrq_top.shares import shares
from rrq_top.table import Table
from rrq_top.top_screen import TopScreen

PANES = ("queues", "workers", "running", "failures")
TITLES = ("Queues", "Workers", "Running jobs", "Failures")

MAIN_KEYS: list[Span] = [
    ("Enter open  s sort  r reverse  f filter  p pause  space freeze  ? help  q quit", "dim")
]


class MainScreen(TopScreen):
    """Queues, workers, running jobs and failures."""

    keys = MAIN_KEYS
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"pane({n})", "", show=False) for n in range(1, len(PANES) + 1)),
        Binding("f,slash", "filter", "", show=False),
        Binding("escape", "show_all", "", show=False),
        Binding("p", "pause", "", show=False),
        Binding("F", "functions", "", show=False),
        Binding("c", "cron", "", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Header, panes, filter, keys."""
        yield Lines(id="header")
        for number, (name, title) in enumerate(zip(PANES, TITLES, strict=True), 1):
            yield Table(title=title, number=number, id=name)
        filter_input = Input(placeholder="only rows with this text", id="filter", compact=True)
        filter_input.display = False
        yield filter_input
        yield Lines(id="keys")

    def __init__(self) -> None:
        super().__init__()
        self._pane = PANES[0]
        self._lines_wanted = dict.fromkeys(PANES, 0)

    def on_mount(self) -> None:
        """The queues have the focus at first."""
        self.is_ready = True
        self.table(self._pane).focus()
        self.show()

    def table(self, name: str) -> Table:
        """One of the panes."""
        return self.query_one(f"#{name}", Table)

    def show(self) -> None:
        """Draw the last snapshot."""
        self.show_header()
        if snapshot := self.app.snapshot:
            for name, grid in zip(PANES, panes(snapshot), strict=True):
                self.table(name).show(grid)
        self.share_lines()

    def share_lines(self, *, anew: bool = False) -> None:
        """Give each pane its lines. Between two changes of the focus a pane only wants more, so
        that nothing jumps when a row comes or goes."""
        if anew:
            self._lines_wanted = dict.fromkeys(PANES, 0)
        for name in PANES:
            wanted = self.table(name).lines_wanted
            self._lines_wanted[name] = max(self._lines_wanted[name], wanted)
        taken = sum(lines.count for lines in self.query(Lines)) + self.query_one("#filter").display
        focused = PANES.index(self._pane)
        given = shares(self.size.height - taken, list(self._lines_wanted.values()), focused)
        for name, lines in zip(PANES, given, strict=True):
            self.table(name).styles.height = lines

    def on_resize(self) -> None:
        """Share the lines of the new size."""
        self.share_lines(anew=True)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Give more to the pane that the keys work on now."""
        if isinstance(event.widget, Table) and event.widget.id:
            self._pane = event.widget.id
        self.share_lines(anew=True)

    # -- keys ---------------------------------------------------------------------------

    def action_pane(self, number: int) -> None:
        """Go to a pane."""
        # Not `focus`, which comes after the next key if that was typed ahead.
        self.set_focus(self.table(PANES[number - 1]))

    def action_filter(self) -> None:
        """Ask for the text that rows must have."""
        box = self.query_one("#filter", Input)
        box.display = True
        self.set_focus(box)

    def action_show_all(self) -> None:
        """Close the box, and show all rows again."""
        self.query_one("#filter", Input).value = ""
        self._close_filter()

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        self.app.filter_text = event.value
        for name in PANES:
            self.table(name).filter(event.value)
        self.show_header()

    @on(Input.Submitted, "#filter")
    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.set_focus(self.table(self._pane))
        self.share_lines(anew=True)

    def action_pause(self) -> None:
        """Pause or resume the chosen queue, after a question."""
        row = self.table("queues").chosen
        if self._pane != "queues" or row is None:
            self.app.say("Choose a queue first: 1 goes to the queues.", "warning")
            return
        self.app.ask_to_pause(row.key)

    def action_functions(self) -> None:
        """Look at the functions."""
        self.app.open(functions_screen())

    def action_cron(self) -> None:
        """Look at the cron jobs."""
        self.app.open(cron_screen())

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        key = event.row.key
        match event.table.id:
            case "queues":
                self.app.open(queue_screen(key))
            case "running":
                self.app.open(JobScreen(key))
            case "failures":
                self.app.open(failure_screen(key))
            case _:
                self.app.open(worker_screen(key))
