"""`TopApp`: looks at an RRQ again and again, and has the screen draw what it saw.

When Redis goes away the screen stays, says so, and goes on by itself when it is back.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import ClassVar

from redis.exceptions import RedisError
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from rrq.cli.render import printable
from rrq_top.dialogs import Help, Question
from rrq_top.grid import Tone
from rrq_top.headline import Span, ViewState
from rrq_top.main_screen import MainScreen
from rrq_top.observer import Observer
from rrq_top.page_screens import PageScreen
from rrq_top.snapshot import Snapshot
from rrq_top.top_screen import TopScreen
from rrq_top.trouble import Trouble, trouble

INTERVALS_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

MESSAGE_SECONDS = 5.0


class TopApp(App[None]):
    """The whole of `rrq top`.

    Args:
        observer: what looks.
        interval_seconds: between two looks.

    Attributes:
        snapshot: what was seen last; None at the very beginning.
        filter_text: only rows with this text are shown.
        message: what is said below the panes for a moment.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    Input#filter { height: 1; border: none; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "", show=False),
        Binding("ctrl+c", "quit", "", show=False, priority=True),
        Binding("space", "freeze", "", show=False),
        Binding("plus,equals_sign", "slower", "", show=False),
        Binding("minus", "faster", "", show=False),
        Binding("question_mark,f1", "help", "", show=False),
    ]

    def __init__(self, observer: Observer, *, interval_seconds: float = 1.0) -> None:
        # The terminal's own colours: they fit its background, and NO_COLOR leaves none of them.
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.animation_level = "none"
        self.observer = observer
        self.snapshot: Snapshot | None = None
        self.filter_text = ""
        self.message: list[Span] = []
        self._interval_seconds = interval_seconds
        self._is_frozen = False
        self._trouble: Trouble | None = None
        self._seen_at = time.monotonic()
        self._message_ends_at = 0.0
        self._wanted = asyncio.Event()

    def get_default_screen(self) -> Screen[None]:
        """The four panes."""
        return MainScreen()

    def on_mount(self) -> None:
        """Begin to look."""
        self.run_worker(self._look_for_ever(), name="look")
        self.set_interval(1.0, self._tick)

    @property
    def view_state(self) -> ViewState:
        """How somebody looks, for the header."""
        return ViewState(
            interval_seconds=self._interval_seconds,
            is_frozen=self._is_frozen,
            filter_text=self.filter_text,
            trouble=self._trouble,
            shown_seconds=time.monotonic() - self._seen_at,
        )

    # -- looking ------------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        while self.is_running:
            self._wanted.clear()
            if not self._is_frozen or self._awaits_its_first_look():
                await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await self._wanted.wait()

    async def _look(self) -> None:
        try:
            if not (self._is_frozen and self.snapshot):
                self.snapshot = await self.observer.snapshot()
                self._seen_at = time.monotonic()
            if page := self._top_page():
                await page.look(self.observer)
        except (RedisError, OSError) as error:
            self._trouble = trouble(self.observer.address, error)
            await self.observer.forget_connections()
        else:
            self._trouble = None
        self._show()

    def _top_page(self) -> PageScreen | None:
        """The screen in sight that looks into something, whatever dialog is over it."""
        screen = self._in_sight()
        return screen if isinstance(screen, PageScreen) else None

    def _in_sight(self) -> TopScreen | None:
        """The screen that can be drawn; none while the app ends, when its widgets go one by one."""
        if not self.is_running:
            return None
        screens = [screen for screen in self.screen_stack if isinstance(screen, TopScreen)]
        return screens[-1] if screens[-1].is_ready else None

    def _awaits_its_first_look(self) -> bool:
        page = self._top_page()
        return self.snapshot is None or (page is not None and page.page is None)

    def look_soon(self) -> None:
        """Do not wait for the interval."""
        self._wanted.set()

    def _show(self) -> None:
        if screen := self._in_sight():
            screen.show()

    def _tick(self) -> None:
        if self.message and time.monotonic() >= self._message_ends_at:
            self.message = []
        self._show_headers()

    def _show_headers(self) -> None:
        if screen := self._in_sight():
            screen.show_header()

    def say(self, text: str, tone: Tone) -> None:
        """Say something for a moment, below the panes."""
        self.message = [(text, tone)]
        self._message_ends_at = time.monotonic() + MESSAGE_SECONDS
        self._show_headers()

    # -- keys ---------------------------------------------------------------------------

    def open(self, screen: PageScreen) -> None:
        """Look into something."""
        self.push_screen(screen)

    def action_freeze(self) -> None:
        """Ask nothing more, or go on."""
        self._is_frozen = not self._is_frozen
        self.observer.forget()
        self.look_soon()
        self._show_headers()

    def action_slower(self) -> None:
        """Look less often."""
        longer = [one for one in INTERVALS_SECONDS if one > self._interval_seconds]
        self._interval_seconds = min(longer, default=self._interval_seconds)
        self._show_headers()

    def action_faster(self) -> None:
        """Look more often."""
        shorter = [one for one in INTERVALS_SECONDS if one < self._interval_seconds]
        self._interval_seconds = max(shorter, default=self._interval_seconds)
        self.look_soon()
        self._show_headers()

    def action_help(self) -> None:
        """Show what the keys do."""
        self.push_screen(Help())

    # -- pausing ------------------------------------------------------------------------

    def ask_to_pause(self, name: str) -> None:
        """Pause a queue, or resume it if it is paused, if the answer to a question is yes."""
        queue = self.snapshot.queue(name) if self.snapshot else None
        is_paused = queue is not None and queue.size.is_paused
        shown = printable(name)
        question = (
            Question(f"Resume queue {shown}?", "Its jobs that are due start at once.")
            if is_paused
            else Question(
                f"Pause queue {shown}?", "No job of it starts then; those that run go on."
            )
        )

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._pause(name, not is_paused), name="pause")

        self.push_screen(question, answered)

    async def _pause(self, name: str, pause: bool) -> None:
        queues = self.observer.store.queues
        shown = printable(name)
        try:
            changed = await (queues.pause(name) if pause else queues.resume(name))
        except (RedisError, OSError) as error:
            done = "paused" if pause else "resumed"
            told = trouble(self.observer.address, error)
            self.say(f"Queue {shown} was not {done}: {told.what}: {told.reason}", "bad")
            return
        done = "Paused" if pause else "Resumed"
        self.say(f"{done} {shown}." if changed else f"{shown} was so already.", "good")
        self.observer.forget()
        self.look_soon()
