"""`RedisLink`: what the stages know together of the way to Redis, so that each need not.

A stage whose call failed waits here and tries again; the log has one line when Redis goes away
and one when it is back, however many calls failed meanwhile. It is back when every stage that
failed has succeeded: a full or read-only server refuses some steps and carries out others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from rrq.store.connection import describe_address, is_unreachable, means_wait

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0

logger = logging.getLogger("rrq.worker")


class RedisLink:
    """Whether Redis can be used, and since when.

    Args:
        dsn: where it is.
        forget_connections: closes those that nobody uses. When one turned out to be dead, the
            others most likely are, and each would take its own time to be found out.

    Attributes:
        down_since: on the monotonic clock; None while Redis answers.
        restored_at: when it last came back, on the monotonic clock; 0 if it never went away.
        last_error: why it cannot be used.
        restored: called when it has come back.
    """

    def __init__(self, dsn: str, forget_connections: Callable[[], Awaitable[None]]) -> None:
        self._address = describe_address(dsn)
        self._forget_connections = forget_connections
        self._failing: set[asyncio.Task[object] | None] = set()
        self.down_since: float | None = None
        self.restored_at = 0.0
        self.last_error: str | None = None
        self.restored: Callable[[], None] = lambda: None

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's answer, tried again while Redis is away; other errors are raised.

        Ended from outside, by cancelling the task.
        """
        failures = 0
        while True:
            try:
                answer = await call()
            except (RedisError, OSError) as error:
                if not means_wait(error):
                    raise
                failures += 1
                await self.pause(error, failures)
            else:
                self.succeeded()
                return answer

    async def pause(self, error: BaseException, failures: int) -> None:
        """Note a failure and wait before the next try: longer each time, with jitter."""
        if self._failed(error) and is_unreachable(error):
            with contextlib.suppress(RedisError, OSError):
                await self._forget_connections()
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 10))
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))

    def _failed(self, error: BaseException) -> bool:
        """Redis could not be used by the stage that runs now; whether that is new."""
        is_new = self.down_since is None
        # Every stage is a task.
        self._failing.add(asyncio.current_task())
        reason = (str(error).splitlines() or [""])[0][:300].rstrip(". ")
        reason = reason or type(error).__name__
        if is_new:
            self.down_since = time.monotonic()
            logger.warning(
                "Redis at %s cannot be used: %s. Running jobs go on; trying again.",
                self._address,
                reason,
            )
        self.last_error = reason
        return is_new

    def succeeded(self) -> None:
        """Redis did what the stage that runs now asked of it."""
        if self.down_since is None:
            return
        self._failing.discard(asyncio.current_task())
        if not self._failing:
            now = time.monotonic()
            logger.warning("Redis is back after %.1f s.", now - self.down_since)
            self.down_since = None
            self.restored_at = now
            self.last_error = None
            self.restored()
