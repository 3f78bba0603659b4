"""`RedisLink`: what the stages know together of the way to Redis, so that each need not.

A stage whose call failed waits here and tries again; the log has one line when Redis goes away
and one when it is back, however many calls failed meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from rrq.store.connection import describe_address, means_wait

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0

logger = logging.getLogger("rrq.worker")


class RedisLink:
    """Whether Redis can be used, and since when.

    Attributes:
        down_since: on the monotonic clock; None while Redis answers.
        restored_at: when it last came back, on the monotonic clock; 0 if it never went away.
        last_error: why it cannot be used.
    """

    def __init__(self, dsn: str) -> None:
        self._address = describe_address(dsn)
        self.down_since: float | None = None
        self.restored_at = 0.0
        self.last_error: str | None = None

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
        self.failed(error)
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 10))
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))

    def failed(self, error: BaseException) -> None:
        """Redis could not be used."""
        reason = (str(error).splitlines() or [""])[0][:300] or type(error).__name__
        if self.down_since is None:
            self.down_since = time.monotonic()
            logger.warning(
                "Redis at %s cannot be used: %s. Running jobs go on; trying again.",
                self._address,
                reason,
            )
        self.last_error = reason

    def succeeded(self) -> None:
        """Redis answered."""
        if self.down_since is not None:
            now = time.monotonic()
            logger.warning("Redis is back after %.1f s.", now - self.down_since)
            self.down_since = None
            self.restored_at = now
            self.last_error = None
