"""The screens that look into one thing: a queue, a worker, a job, a function, a kind of failure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from rrq.cli.render import printable
from rrq.exc import RRQError
from rrq_top.drawing import Folded, Lines
from rrq_top.failures import failure_groups
from rrq_top.headline import Span
from rrq_top.inside import (
    JobLook,
    look_into_cron,
    look_into_function,
    look_into_functions,
    look_into_queue,
    look_into_worker,
)
from rrq_top.job_page import NAME_CELLS, function_of, job_page
from rrq_top.pages import (
    Page,
    cron_page,
    failure_page,
    function_page,
    functions_page,
    queue_page,
    worker_page,
)
from rrq_top.table import Table
from rrq_top.top_screen import TopScreen

if TYPE_CHECKING:
    from rrq_top.observer import Observer

Ask: TypeAlias = "Callable[[Observer], Awaitable[Page]]"

PAGE_KEYS: list[Span] = [("Esc back  Enter open  s sort  space freeze  ? help  q quit", "dim")]
JOB_KEYS: list[Span] = [
    ("Esc back  up down scroll  F its function  space freeze  ? help  q quit", "dim")
]


class PageScreen(TopScreen):
    """Looks into one thing, anew with each look at the whole.

    Args:
        ask: brings the page.
        opens: the screen behind a row of it, by the row's key.
        queue: the queue that it is about, if any.
    """

    keys = PAGE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "", show=False),
        Binding("p", "pause", "", show=False),
        Binding("F", "function", "", show=False),
    ]

    def __init__(
        self,
        ask: Ask,
        *,
        opens: Callable[[str], PageScreen] | None = None,
        queue: str | None = None,
    ) -> None:
        super().__init__()
        self._ask = ask
        self._opens = opens
        self._queue = queue
        self.page: Page | None = None

    def compose(self) -> ComposeResult:
        """Header, what is known, rows to choose from, keys."""
        yield Lines(id="header")
        yield Lines(id="title")
        if self._opens:
            yield Lines(id="about")
            yield Table(title="Jobs", id="rows")
        else:
            yield Folded(indent=NAME_CELLS, id="text")
        yield Lines(id="keys")

    def on_mount(self) -> None:
        """What is asked for the first time comes at once."""
        self.is_ready = True
        self.query("Table, Folded").first().focus()
        self.show()
        self.app.look_soon()

    async def look(self, observer: Observer) -> None:
        """Ask for the page.

        Raises:
            redis.exceptions.RedisError, OSError: Redis does not answer, or refuses.
        """
        try:
            self.page = await self._ask(observer)
        except RRQError as error:
            self.page = Page("", [[(printable(str(error)), "bad")]])

    def show(self) -> None:
        """Draw the page."""
        self.show_header()
        page = self.page or Page("asking")
        self.query_one("#title", Lines).show([[(page.title, "strong")]] if page.title else [])
        if not self._opens:
            self.query_one("#text", Folded).show(page.lines)
            return
        self.query_one("#about", Lines).show(page.lines)
        if page.grid:
            self.query_one("#rows", Table).show(page.grid)

    def action_back(self) -> None:
        """Close it."""
        self.dismiss(None)

    def action_pause(self) -> None:
        """Pause or resume the queue that it is about."""
        if self._queue is not None:
            self.app.ask_to_pause(self._queue)

    def action_function(self) -> None:
        """Look into the function that it is about, if there is one."""

    @on(Table.Opened)
    def _open(self, event: Table.Opened) -> None:
        if self._opens:
            self.app.open(self._opens(event.row.key))


class JobScreen(PageScreen):
    """Looks into a job."""

    keys = JOB_KEYS

    def __init__(self, job_id: str) -> None:
        look = JobLook(job_id)
        self._function: str | None = None

        async def ask(observer: Observer) -> Page:
            inside = await look.again(observer.store)
            self._function = function_of(inside)
            return job_page(inside)

        super().__init__(ask)

    def action_function(self) -> None:
        """Look into the job's function."""
        if self._function:
            self.app.open(function_screen(self._function))


def queue_screen(name: str) -> PageScreen:
    """Looks into a queue."""

    async def ask(observer: Observer) -> Page:
        return queue_page(await look_into_queue(observer.store, name))

    return PageScreen(ask, opens=JobScreen, queue=name)


def worker_screen(worker_id: str) -> PageScreen:
    """Looks into a worker."""

    async def ask(observer: Observer) -> Page:
        return worker_page(await look_into_worker(observer.store, worker_id))

    return PageScreen(ask, opens=JobScreen)


def function_screen(name: str) -> PageScreen:
    """Looks into a function."""

    async def ask(observer: Observer) -> Page:
        return function_page(await look_into_function(observer.store, name))

    return PageScreen(ask, opens=JobScreen)


def functions_screen() -> PageScreen:
    """Looks at the functions that were active last."""

    async def ask(observer: Observer) -> Page:
        return functions_page(await look_into_functions(observer.store))

    return PageScreen(ask, opens=function_screen)


def failure_screen(pattern: str) -> PageScreen:
    """Looks at the jobs that failed with a pattern of an error; they stay when they grow old."""
    last: list[Page] = []

    async def ask(observer: Observer) -> Page:
        snapshot = observer.last
        groups = failure_groups(snapshot.failures) if snapshot else []
        for group in groups:
            if snapshot and group.pattern == pattern:
                last[:] = [failure_page(group, snapshot.at)]
        return last[0] if last else Page(f"Failure {printable(pattern)}")

    return PageScreen(ask, opens=JobScreen)


def cron_screen() -> PageScreen:
    """Looks at the configured cron jobs; behind each is its function."""
    functions: dict[str, str] = {}

    async def ask(observer: Observer) -> Page:
        inside = await look_into_cron(observer.store)
        functions.update({slot.name: slot.function_name for slot in inside.slots})
        return cron_page(inside)

    return PageScreen(ask, opens=lambda name: function_screen(functions[name]))
