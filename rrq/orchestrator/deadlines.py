"""`Deadlines`: stops what is over its time, and gives back what was read ahead in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rrq.orchestrator.lane import Lane, monotonic

if TYPE_CHECKING:
    from rrq.orchestrator.dispatch import Dispatch
    from rrq.orchestrator.holdings import Held, Holdings

SLACK_SECONDS = 0.15
"""An executor that keeps the deadline itself is given this long to say so."""

SWEEP_SECONDS = 0.05


class Deadlines:
    """`run` is a task of the worker."""

    def __init__(self, holdings: Holdings, lanes: Iterable[Lane], dispatch: Dispatch) -> None:
        self._holdings = holdings
        self._lanes = list(lanes)
        self._dispatch = dispatch

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = monotonic()
            for held in list(self._holdings.running.values()):
                if held.deadline is not None and now >= held.deadline:
                    self._time_is_over(held, now)
            for lane in self._lanes:
                for claim in lane.overdue(now):
                    self._dispatch.give_back(claim)

    def _time_is_over(self, held: Held, now: float) -> None:
        assert held.lane is not None
        extra_seconds = held.lane.transport.extra_seconds(held.claim.job_id)
        if extra_seconds > 0:
            held.deadline = now + extra_seconds + SLACK_SECONDS
            return
        held.deadline = None
        self._dispatch.stop(held, "timeout")
