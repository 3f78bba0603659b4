"""`Lane`: one executor as dispatch sees it: what runs, what is read ahead, what it can take."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from rrq.store.claim import Claim
from rrq.transport import Transport

WINDOW_SECONDS = 0.05
"""A lane reads as many jobs ahead as it finished in about this time."""

MAX_READ_AHEAD = 200
READ_AHEAD_PATIENCE_SECONDS = 0.1
"""A job that was read ahead and has not started by then goes back to its queue."""

TURNED_AWAY_STEP_MS = 100.0
TURNED_AWAY_LONGEST_MS = 5000.0
TURNED_AWAY_A_STEP = 10
"""Jobs for a full lane come back a few at a time, so that one is there soon after a slot is
free, and neither this worker nor Redis spins on the rest."""


@dataclass(slots=True)
class Waiting:
    """A claim that was read ahead, and since when (monotonic seconds)."""

    claim: Claim
    since: float


@dataclass(slots=True)
class Lane:
    """One configured executor."""

    name: str
    transport: Transport
    in_flight: int = 0
    ready: deque[Waiting] = field(default_factory=deque)
    _window_began: float = 0.0
    _finished: int = 0
    _finished_before: int = 0
    _turned_away: int = 0

    @property
    def free(self) -> int:
        """How many jobs it can start now."""
        return max(0, self.transport.capacity - self.in_flight)

    def room(self, now: float) -> int:
        """How many jobs to claim for it now; 0 while it has enough."""
        if self.transport.capacity <= 0:
            return 0
        ahead = self._read_ahead(now)
        if len(self.ready) > ahead // 2:
            return 0
        return self.free + ahead - len(self.ready)

    def may_wait(self, now: float) -> bool:
        """Whether one more job may be read ahead."""
        return len(self.ready) < self._read_ahead(now)

    def started(self) -> None:
        """A job starts here."""
        self.in_flight += 1
        self._turned_away = 0

    def ended(self, now: float) -> None:
        """A job that started here has ended."""
        self.in_flight -= 1
        self._roll(now)
        self._finished += 1

    def delay_of_turned_away_ms(self) -> float:
        """How long the next job that finds no room here should stay in its queue."""
        step = 1 + self._turned_away // TURNED_AWAY_A_STEP
        self._turned_away += 1
        return min(TURNED_AWAY_LONGEST_MS, step * TURNED_AWAY_STEP_MS)

    def overdue(self, now: float) -> list[Claim]:
        """Take out the claims that were read ahead for too long."""
        late: list[Claim] = []
        while self.ready and now - self.ready[0].since > READ_AHEAD_PATIENCE_SECONDS:
            late.append(self.ready.popleft().claim)
        return late

    def _read_ahead(self, now: float) -> int:
        self._roll(now)
        return min(MAX_READ_AHEAD, max(self._finished, self._finished_before))

    def _roll(self, now: float) -> None:
        age = now - self._window_began
        if age >= WINDOW_SECONDS:
            self._finished_before = self._finished if age < 2 * WINDOW_SECONDS else 0
            self._finished = 0
            self._window_began = now


def monotonic() -> float:
    """The clock of lanes and deadlines, in seconds."""
    return time.monotonic()
