"""`Watchdog`: tells a worker that consumes from one that only looks alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from rrq.exc import WorkerStuck
from rrq.orchestrator.intake import Intake
from rrq.orchestrator.redis_link import RedisLink

STUCK_SECONDS = 30.0
"""A worker that could neither claim nor had its executors full for this long is stuck. An idle
one claims every few seconds."""

LOOK_SECONDS = 1.0

logger = logging.getLogger("rrq.worker")


class Watchdog:
    """Watches the intake.

    Args:
        exit_seconds: end the worker when it is stuck for this long; None never does.
        changed: called when the worker became stuck, or no longer is.

    Attributes:
        is_stuck: whether it is.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        link: RedisLink,
        exit_seconds: float | None,
        changed: Callable[[], None],
    ) -> None:
        self._intake = intake
        self._link = link
        self._exit_seconds = exit_seconds
        self._changed = changed
        self.is_stuck = False

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            WorkerStuck: the worker is to end.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            seconds = self._intake.seconds_without_claim
            if self._exit_seconds is not None and seconds > self._exit_seconds:
                raise WorkerStuck(
                    f"This worker could claim no job for {seconds:.0f} s ({self.reason}); it ends, "
                    "as --exit-when-stuck says"
                )
            if (seconds > STUCK_SECONDS) != self.is_stuck:
                self.is_stuck = not self.is_stuck
                if self.is_stuck:
                    logger.error("No job could be claimed for %.0f s: %s", seconds, self.reason)
                self._changed()

    @property
    def reason(self) -> str:
        """Why it can claim nothing, as far as it is known."""
        return self._intake.last_error or self._link.last_error or "no executor is up"
