"""`Traffic`: a producer that enqueues a mix of all kinds of jobs, as its seed says, until stopped.

A call whose outcome is unknown, because Redis went away under it, is not made again: its job may
be there or not, but if it is, it must be whole.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from rrq.client import RRQClient
from rrq.job_request import JobRequest

Draw = random.Random
Recipe = Callable[[Draw], tuple[str, tuple[Any, ...], dict[str, Any]]]

UNIQUE_KEYS = 20

BULK_JOBS = 500
BULK_PAUSE_SECONDS = 2.5


def _plain(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return draw.choice(["quick", "printing", "writing_to_fd_1"]), (), {}


def _short(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return draw.choice(["sleeping", "plain"]), (round(draw.uniform(0.02, 0.4), 2),), {}


def _unique(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    options = {
        "_unique_key": f"key-{draw.randrange(UNIQUE_KEYS)}",
        "_on_conflict": draw.choice(["skip", "skip", "defer"]),
    }
    return "sleeping", (round(draw.uniform(0.02, 0.4), 2),), options


def _deferred(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return "quick", (), {"_defer_by": round(draw.uniform(0.2, 10), 2)}


def _retrying(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return "retrying", (draw.randint(1, 4),), {}


def _failing(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return draw.choice(["failing", "exiting", "answering_no_json"]), (), {"_max_retries": 2}


def _slow(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return "sleeping", (round(draw.uniform(2, 5), 2),), {}


def _overtime(draw: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    name = draw.choice(["sleeping", "stubborn", "blocking"])
    return name, (20,), {"_job_timeout_seconds": 1}


def _poison(_: Draw) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    return "killing", (), {}


MIX: dict[str, tuple[float, Recipe]] = {
    "plain": (40, _plain),
    "short": (20, _short),
    "unique": (10, _unique),
    "deferred": (10, _deferred),
    "retrying": (8, _retrying),
    "failing": (5, _failing),
    "slow": (4, _slow),
    "overtime": (0.5, _overtime),
    "poison": (0.3, _poison),
}
"""Share and recipe of each kind."""


class Traffic:
    """The producer.

    Attributes:
        accepted: ids of the jobs that `enqueue` returned.
        uncertain: ids of those for which it raised.
        kinds: how many of each kind were accepted.
        cancels: how many cancellations were sent.
    """

    def __init__(self, client: RRQClient, draw: Draw, jobs_per_second: float) -> None:
        self._client = client
        self._draw = draw
        self._pause_seconds = 1 / jobs_per_second
        self.accepted: list[str] = []
        self.uncertain: list[str] = []
        self.kinds: Counter[str] = Counter()
        self.cancels = 0
        self._bulks = 0
        self._is_stopping = False

    def stop(self) -> None:
        """Enqueue nothing more; `run` returns soon. (A cancellation can be lost on its way
        through redis-py on Python 3.11.)"""
        self._is_stopping = True

    async def run(self) -> None:
        """Enqueue until `stop`."""
        kinds = list(MIX)
        shares = [share for share, _ in MIX.values()]
        number = 0
        while not self._is_stopping:
            number += 1
            [kind] = self._draw.choices(kinds, shares)
            name, arguments, options = MIX[kind][1](self._draw)
            await self._enqueue(f"soak-{number}", kind, name, arguments, options)
            if self._draw.random() < 0.02 and self.accepted:
                await self._cancel(self._draw.choice(self.accepted[-50:]))
            await asyncio.sleep(self._draw.uniform(0, 2 * self._pause_seconds))

    async def _enqueue(
        self, job_id: str, kind: str, name: str, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        try:
            job = await self._client.enqueue(name, *arguments, _job_id=job_id, **options)
        except (RedisError, OSError):
            self.uncertain.append(job_id)
            return
        if job is not None:
            self.accepted.append(job.id)
            self.kinds[kind] += 1

    async def run_bulk(self) -> None:
        """Enqueue quick jobs by the hundred until `stop`."""
        while not self._is_stopping:
            await asyncio.sleep(BULK_PAUSE_SECONDS)
            self._bulks += 1
            requests = [
                JobRequest("quick", job_id=f"bulk-{self._bulks}-{number}")
                for number in range(BULK_JOBS)
            ]
            ids = [str(request.job_id) for request in requests]
            try:
                await self._client.enqueue_many(requests)
            except (RedisError, OSError):
                self.uncertain += ids
            else:
                self.accepted += ids
                self.kinds["bulk"] += len(ids)

    async def _cancel(self, job_id: str) -> None:
        self.cancels += 1
        try:
            await self._client.cancel(job_id)
        except (RedisError, OSError):
            return
