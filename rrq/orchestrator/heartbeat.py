"""`Heartbeat`: the health key of a worker, and the numbers in it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rrq.orchestrator.lane import Lane
from rrq.orchestrator.redis_link import RedisLink
from rrq.orchestrator.tally import Tally
from rrq.store.workers import Workers

if TYPE_CHECKING:
    from rrq.transport import TransportStatus

TTL_BEYOND_INTERVAL_SECONDS = 10.0

MAX_FUNCTIONS, MAX_FUNCTION_CHARACTERS = 500, 200
"""How many names of functions are told of each executor, and how long one may be: whoever reads
health keys reads all of it."""


class Heartbeat:
    """Writes what the worker is, does and has done."""

    def __init__(
        self,
        *,
        worker_id: str,
        queues: Sequence[str],
        lanes: Mapping[str, Lane],
        tally: Tally,
        workers: Workers,
        link: RedisLink,
        interval_seconds: float,
        measure: Callable[[], dict[str, Any]],
    ) -> None:
        self._worker_id = worker_id
        self._queues = list(queues)
        self._lanes = lanes
        self._tally = tally
        self._workers = workers
        self._link = link
        self._interval_seconds = interval_seconds
        self._ttl_seconds = interval_seconds + TTL_BEYOND_INTERVAL_SECONDS
        self._measure = measure
        self._started_at = datetime.now(UTC)
        self._due = asyncio.Event()
        self._is_ending = False
        self._has_ended = asyncio.Event()

    def beat_now(self) -> None:
        """Something changed that people should see before the next interval."""
        self._due.set()

    async def ended(self) -> None:
        """Have `run` return, and wait until no beat is under way any more."""
        self._is_ending = True
        self._due.set()
        await self._has_ended.wait()

    async def run(self) -> None:
        """Beat until `ended`."""
        while not self._is_ending:
            self._due.clear()
            await self._link.persist(self.beat)
            try:
                async with asyncio.timeout(self._interval_seconds):
                    await self._due.wait()
            except TimeoutError:
                continue
        self._has_ended.set()

    async def beat(self) -> None:
        """Write the health key once."""
        await self._workers.heartbeat(self._worker_id, self.health(), self._ttl_seconds)

    def health(self) -> dict[str, Any]:
        """What the health key holds; times are RFC 3339, ages and durations seconds."""
        return {
            "worker_id": self._worker_id,
            "timestamp": datetime.now(UTC).isoformat(),
            # With what is left of it, this tells how old the timestamp is by Redis' clock.
            "ttl_seconds": self._ttl_seconds,
            "active_jobs": sum(lane.in_flight for lane in self._lanes.values()),
            "concurrency_limit": sum(lane.transport.capacity for lane in self._lanes.values()),
            "queues": self._queues,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(),
            "counts": dict(self._tally.counts),
            "executors": {
                name: _described(lane.transport.describe()) for name, lane in self._lanes.items()
            },
            **self._measure(),
        }


def _described(status: TransportStatus) -> dict[str, Any]:
    told = {key: value for key, value in asdict(status).items() if value not in (None, {})}
    functions = status.functions or ()
    short = [name for name in functions if len(name) <= MAX_FUNCTION_CHARACTERS][:MAX_FUNCTIONS]
    if len(short) < len(functions):
        told |= {"functions": short, "functions_in_all": len(functions)}
    return told


def age_seconds(moment: float) -> float:
    """How long ago a moment of the monotonic clock was."""
    return round(time.monotonic() - moment, 3)
