"""`Deadlines`: stops handlers whose time is over, by one timer for all of them.

Few jobs ever meet their deadline. A timer for each, set and cancelled, took a sixth of what a short
job costs here; the one that is left alone comes once in the time that a job may take.
"""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol

EARLY_SECONDS = 0.001
"""Event loops may call a timer so much too early."""


class Stoppable(Protocol):
    """What has a deadline."""

    def stop(self, reason: Literal["deadline"], /) -> None:
        """Its time is over."""


class Deadlines:
    """The deadlines of what runs in one event loop, the one that `watch` is called in."""

    def __init__(self) -> None:
        self._at: dict[Stoppable, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, one: Stoppable, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        """Stop this one after so many seconds, unless it is forgotten before."""
        if loop is not self._loop:
            self._loop, self._timer = loop, None
            self._at.clear()
        at = self._at[one] = loop.time() + seconds
        if self._timer is None or at < self._timer.when():
            self._look_at(at)

    def forget(self, one: Stoppable) -> None:
        """This one has ended; the timer stays, for others will want it at about that time."""
        self._at.pop(one, None)

    def _look_at(self, at: float) -> None:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        assert self._loop is not None
        self._timer = None
        over_at = self._loop.time() + EARLY_SECONDS
        for one in [one for one, at in self._at.items() if at <= over_at]:
            del self._at[one]
            one.stop("deadline")
        if self._at:
            self._look_at(min(self._at.values()))
