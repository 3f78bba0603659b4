"""When a failed job runs again, if it does: attempts, exponential backoff, cap and jitter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The rules for the next attempt.

    Attributes:
        base_delay_seconds: the delay after the first failed attempt; it doubles each time.
        max_delay_seconds: no backoff is longer.
        jitter: 0 to 1, how much of a backoff may be taken away at random, so that jobs that
            failed together do not come back together. A delay that a handler named is kept.
    """

    base_delay_seconds: float = 5.0
    max_delay_seconds: float = 3600.0
    jitter: float = 0.0

    def next_delay_seconds(
        self,
        attempt: int,
        max_attempts: int,
        *,
        asked_seconds: float | None = None,
        random: float = 0.0,
    ) -> float | None:
        """The delay before the attempt after this failed one; `None` when it was the last.

        Args:
            attempt: the number of the attempt that failed, from 1.
            max_attempts: how many there may be in all (a job's `max_retries`).
            asked_seconds: the delay that the handler named, if any.
            random: a fresh number in [0, 1) for the jitter.
        """
        if attempt >= max_attempts:
            return None
        if asked_seconds is not None:
            return max(0.0, asked_seconds)
        # 2 ** 64 times any base is over every cap: keep the power from overflowing a float.
        backoff: float = self.base_delay_seconds * 2 ** min(attempt - 1, 64)
        return min(self.max_delay_seconds, backoff) * (1 - self.jitter * random)
