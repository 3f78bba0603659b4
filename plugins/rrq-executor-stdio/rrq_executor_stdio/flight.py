"""`Flight`, one request on its way through a process, and `Listener`, whom the process tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from rrq.protocol import ExecutionOutcome, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Whom a process tells of what happens in it.

    Attributes:
        room: a request has left it, so that there may be room for another.
        capacity_changed: it takes more or fewer requests than before.
        progress: a handler reports about its job.
    """

    room: Callable[[], None]
    capacity_changed: Callable[[], None]
    progress: Callable[[Progress], None]


class Flight:
    """One request that a process has.

    Attributes:
        outcome: what the caller awaits.
        heard_at: when the request was sent or last reported progress, by the loop's clock.
        is_wanted: whether the caller still waits for it.
    """

    __slots__ = ("heard_at", "is_wanted", "outcome")

    def __init__(self, outcome: asyncio.Future[ExecutionOutcome], heard_at: float) -> None:
        self.outcome = outcome
        self.heard_at = heard_at
        self.is_wanted = True
