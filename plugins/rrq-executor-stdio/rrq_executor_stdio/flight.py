"""`Flight`, one request on its way through a process, and `Listener`, whom the process tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rrq.exc import ExecutorLost
from rrq.protocol import ExecutionOutcome, Progress
from rrq.transport import Ended


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

    Args:
        ended: whom to tell what became of it.

    Attributes:
        heard_at: when the request was sent or last reported progress, by the loop's clock.
        is_wanted: whether the caller still waits for it.
    """

    __slots__ = ("_ended", "heard_at", "is_wanted")

    def __init__(self, ended: Ended, heard_at: float) -> None:
        self.heard_at = heard_at
        self.is_wanted = True
        self._ended = ended

    def end(self, answer: ExecutionOutcome | ExecutorLost) -> None:
        """Tell the caller, if it still waits."""
        if self.is_wanted:
            self._ended(answer)
