"""Small screens over the others: a question, and the help."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from rrq_top.drawing import Lines
from rrq_top.headline import Span

KEYS: tuple[tuple[str, str], ...] = (
    ("1 2 3 4, Tab", "go to queues, workers, running jobs, failures"),
    ("up down, j k", "choose a row; PgUp, PgDn, Home and End too"),
    ("Enter", "open it: a queue, worker, job or failure; Esc goes back"),
    ("F, c", "functions, and what each did; cron jobs"),
    ("s, left right", "sort by the next or previous column; r reverses"),
    ("f or /", "show only rows with a text; Esc shows all again"),
    ("p", "pause or resume the chosen queue, after a question"),
    ("Space", "freeze the screen, and go on"),
    ("+ -", "look less often, more often"),
    ("?", "this help"),
    ("q, Ctrl-C", "quit"),
)

LEGEND: tuple[tuple[str, str], ...] = (
    ("OLDEST", "for how long the first job of a queue has been due"),
    ("DONE/S FAIL/M", "over the last minute; failed attempts, retried or not"),
    ("WAIT95 RUN95", "95 of 100 waited or ran no longer, in 5 minutes"),
    ("BEAT, LEFT", "since the last heartbeat; until the deadline"),
)


class Dialog(ModalScreen[bool]):
    """Lines in a box."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical { width: auto; height: auto; border: round; padding: 0 1; }
    """

    def __init__(self, lines: list[list[Span]], width: int) -> None:
        super().__init__()
        self._shown = lines
        self._width = width

    def compose(self) -> ComposeResult:
        """The box."""
        with Vertical():
            lines = Lines()
            lines.styles.width = self._width
            yield lines

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one(Lines).show(self._shown)

    def action_answer(self, answer: bool) -> None:
        """Close it."""
        self.dismiss(answer)


class Question(Dialog):
    """Asks whether to do something; anything but `y` is no.

    Args:
        question: escaped already.
        consequence: what will happen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", ""),
        Binding("n,escape,q,enter,space", "answer(False)", ""),
    ]

    def __init__(self, question: str, consequence: str) -> None:
        lines: list[list[Span]] = [
            [(question, "strong")],
            [(consequence, "plain")],
            [],
            [("y", "strong"), (" yes   ", "plain"), ("n", "strong"), (" no", "plain")],
        ]
        super().__init__(lines, width=64)


class Help(Dialog):
    """What the keys do, and what the columns mean."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,space", "answer(False)", "")
    ]

    def __init__(self) -> None:
        def told(pairs: tuple[tuple[str, str], ...]) -> list[list[Span]]:
            return [[(f"{key:<15}", "strong"), (text, "plain")] for key, text in pairs]

        super().__init__([*told(KEYS), [], *told(LEGEND)], width=74)
