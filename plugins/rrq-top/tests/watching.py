"""`watching`: `rrq top` on a screen of a test's own, and what stands on it.

Textual is imported when somebody watches, for it takes every process that collects the tests long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rrq.settings import RRQSettings
from rrq.store.connection import connect
from rrq.store.store import JobStore
from rrq_top.observer import Observer

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from rrq_top.app import TopApp


class Watching:
    """A running `rrq top`."""

    def __init__(self, app: TopApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    def line_with(self, text: str) -> str:
        """The first line that has this text; empty if none does."""
        return next((line for line in self.lines if text in line), "")

    def column(self, first: str, last: str) -> list[str]:
        """The first word of each line between two lines that begin so."""
        lines = self.lines
        start = next(n for n, line in enumerate(lines) if line.startswith(first))
        end = next(n for n, line in enumerate(lines) if n > start and line.startswith(last))
        return [line.split()[0] for line in lines[start + 1 : end] if line]

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def shows(self, text: str, within_seconds: float = 10.0) -> None:
        """Wait until a text stands on the screen."""
        await self.until(lambda: text in self.text, f"no {text!r}", within_seconds)

    async def shows_no(self, text: str, within_seconds: float = 10.0) -> None:
        """Wait until a text stands nowhere on the screen."""
        await self.until(lambda: text not in self.text, f"still {text!r}", within_seconds)

    async def until(
        self, condition: Callable[[], bool], otherwise: str, within_seconds: float = 10.0
    ) -> None:
        """Wait until something is so; `otherwise` says what is wrong if it never is."""
        deadline = time.monotonic() + within_seconds
        while not condition():
            assert time.monotonic() < deadline, f"{otherwise} in:\n{self.text}"
            # Reading the screen takes as long as drawing it.
            await asyncio.sleep(0.03)


@asynccontextmanager
async def watching(
    settings: RRQSettings,
    *,
    only: Sequence[str] = (),
    size: tuple[int, int] = (80, 24),
    interval_seconds: float = 0.3,
) -> AsyncIterator[Watching]:
    """Watch until the block ends."""
    from rrq_top.app import TopApp

    store = JobStore(settings, redis=connect(settings, retries=0))
    app = TopApp(Observer(store, only), interval_seconds=interval_seconds)
    try:
        async with app.run_test(size=size) as pilot:
            yield Watching(app, pilot)
    finally:
        await store.aclose()
