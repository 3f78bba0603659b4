"""`Lane`: one executor as dispatch sees it: what runs, what is read ahead, what it can take."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from rrq.store.claim import Claim
from rrq.store.leases import ExecutorRoom, TurnedAway
from rrq.transport import Transport

WINDOW_SECONDS = 0.05
"""A lane reads as many jobs ahead as it finished in about this time, those not counted that took
longer themselves: their end says nothing about how soon the next one ends."""

MAX_READ_AHEAD = 200
READ_AHEAD_PATIENCE_SECONDS = 0.1
"""A job that was read ahead and has not started by then goes back to its queue."""

TURNED_AWAY_MS = 100.0
"""How long a job stays in its queue whose executor turned out to be full when it was routed."""

MAX_TURNED_AWAY_KEPT = 256
LOOK_AGAIN_SECONDS = 0.05
"""A lane for which a claim brought nothing, though jobs were due, is not asked for sooner."""


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
    _short: int = 0
    _short_before: int = 0
    _turned_away: deque[TurnedAway] = field(
        default_factory=lambda: deque(maxlen=MAX_TURNED_AWAY_KEPT)
    )
    _turned_away_count: int = 0
    _looks_again_at: float = 0.0

    @property
    def free(self) -> int:
        """How many jobs it can start now."""
        return max(0, self.transport.capacity - self.in_flight)

    def room(self, now: float) -> int:
        """How many jobs to claim for it now; 0 while it has enough."""
        if self.transport.capacity <= 0 or now < self._looks_again_at:
            return 0
        ahead = self._read_ahead(now)
        if len(self.ready) > ahead // 2:
            return 0
        return self.free + ahead - len(self.ready)

    def executor_room(self, now: float) -> ExecutorRoom:
        """What a claim may bring for it. It is full when it neither starts a job now nor is
        quick enough to read one ahead."""
        is_full = self.free == 0 and self._read_ahead(now) == 0
        return ExecutorRoom(self.name, self.room(now), is_full, self._turned_away_count)

    def may_wait(self, now: float) -> bool:
        """Whether one more job may be read ahead."""
        return len(self.ready) < self._read_ahead(now)

    def started(self) -> None:
        """A job starts here."""
        self.in_flight += 1
        self._turned_away_count = 0

    def ended(self, now: float, run_seconds: float) -> None:
        """A job that started here has ended, after so long."""
        self.in_flight -= 1
        self._roll(now)
        if run_seconds < WINDOW_SECONDS:
            self._short += 1

    def turned_away(self, job: TurnedAway) -> None:
        """A job found no room here and stays in its queue."""
        self._turned_away.append(job)
        self._turned_away_count += 1

    def recall(self) -> list[TurnedAway]:
        """Jobs that were turned away, as many as can start now, the first ones first."""
        return [self._turned_away.popleft() for _ in range(min(self.free, len(self._turned_away)))]

    def found_nothing(self, now: float) -> None:
        """A claim brought nothing for it, though jobs for others were due."""
        self._looks_again_at = now + LOOK_AGAIN_SECONDS

    def look_now(self) -> None:
        """A job may have come for it."""
        self._looks_again_at = 0.0

    def overdue(self, now: float) -> list[Claim]:
        """Take out the claims that were read ahead for too long."""
        late: list[Claim] = []
        while self.ready and now - self.ready[0].since > READ_AHEAD_PATIENCE_SECONDS:
            late.append(self.ready.popleft().claim)
        return late

    def take_out(self, claim: Claim) -> bool:
        """Take out one claim that was read ahead; whether it was there."""
        for waiting in self.ready:
            if waiting.claim is claim:
                self.ready.remove(waiting)
                return True
        return False

    def _read_ahead(self, now: float) -> int:
        self._roll(now)
        return min(MAX_READ_AHEAD, max(self._short, self._short_before))

    def _roll(self, now: float) -> None:
        age = now - self._window_began
        if age >= WINDOW_SECONDS:
            self._short_before = self._short if age < 2 * WINDOW_SECONDS else 0
            self._short = 0
            self._window_began = now


def monotonic() -> float:
    """The clock of lanes and deadlines, in seconds."""
    return time.monotonic()
