"""`Load`: enqueues test jobs at a steady rate, and tells how well Redis kept up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from rrq.job_request import JobRequest

if TYPE_CHECKING:
    from rrq.client import RRQClient

MOST_AT_ONCE = 500
"""What has fallen due since the last call goes together, up to this many jobs."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was put into the queues.

    Attributes:
        jobs: how many.
        seconds: how long it took.
        latencies_ms: how long each job's enqueue call took, in ascending order.
    """

    jobs: int
    seconds: float
    latencies_ms: list[float]

    @property
    def jobs_per_second(self) -> float:
        """The rate that was reached."""
        return self.jobs / self.seconds if self.seconds else 0.0

    def latency_ms(self, share: float) -> float | None:
        """The latency that this share of the jobs stayed within; None if there was no job."""
        if not self.latencies_ms:
            return None
        return self.latencies_ms[min(int(len(self.latencies_ms) * share), self.jobs - 1)]


async def put_load(
    client: RRQClient,
    *,
    jobs_per_second: float,
    duration_seconds: float,
    queues: Sequence[str],
    function_name: str,
    stopping: asyncio.Event,
    enqueued: Callable[[int], None] = lambda count: None,
) -> LoadReport:
    """Enqueue jobs with ids that begin with `test_`, each at its own moment of a fixed grid.

    Args:
        jobs_per_second: the rate to hold. If Redis cannot, what is late goes in larger calls.
        duration_seconds: when to stop, whatever was reached.
        queues: names, in turn.
        stopping: ends it earlier when it is set.
        enqueued: called with the number of jobs of each call.
    """
    began = time.monotonic()
    wanted = round(jobs_per_second * duration_seconds)
    latencies: list[float] = []
    numbers = count()
    while len(latencies) < wanted and not stopping.is_set():
        elapsed = time.monotonic() - began
        if elapsed >= duration_seconds:
            break
        due = min(int(elapsed * jobs_per_second) + 1, wanted) - len(latencies)
        if due <= 0:
            await _pause(len(latencies) / jobs_per_second - elapsed, stopping)
            continue
        chunk = [
            JobRequest(
                function_name,
                [number],
                queue_name=queues[number % len(queues)],
                job_id=f"test_{uuid4().hex}",
            )
            for number in _take(numbers, min(due, MOST_AT_ONCE))
        ]
        called = time.monotonic()
        await client.enqueue_many(chunk)
        latencies += [(time.monotonic() - called) * 1000] * len(chunk)
        enqueued(len(chunk))
    # The last job of the grid has its own stretch of time too.
    await _pause(duration_seconds - (time.monotonic() - began), stopping)
    return LoadReport(len(latencies), time.monotonic() - began, sorted(latencies))


def _take(numbers: count[int], how_many: int) -> list[int]:
    return [next(numbers) for _ in range(how_many)]


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
