"""`WorkerTelemetry`: the backends of a worker, each behind its relay, and the worker's gauges."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError, RedisError

from rrq.telemetry import ExecutorGauges, FanOut, QueueGauges, WorkerGauges
from rrq.telemetry.flushing import FLUSH_SECONDS, ended
from rrq.telemetry.relay import Relay
from rrq.wording import counted

if TYPE_CHECKING:
    from rrq.orchestrator.lane import Lane
    from rrq.store.queues import Queues

GAUGES_SECONDS = 5.0
"""How often a worker measures itself, and its queues if a backend wants them."""

MOST_QUEUES = 100
"""Queues that are measured; a worker of more says so once."""

ASK_SECONDS = 2.0
"""How long Redis may take to answer for the queues; they are left out then."""

logger = logging.getLogger("rrq.telemetry")


class WorkerTelemetry:
    """What a worker tells its backends.

    Attributes:
        relays: each backend with the way to it, in the order of the rule for headers.
    """

    def __init__(self, telemetry: FanOut, worker_id: str) -> None:
        self.relays = [(member, Relay(member)) for member in telemetry.members]
        self._worker_id = worker_id

    def worker_started(self, queues: tuple[str, ...]) -> None:
        """The worker has its executors up."""
        for member, relay in self.relays:
            relay.call(member.backend.worker_started, self._worker_id, queues)

    def worker_stopped(self) -> None:
        """The worker has settled its last job."""
        for member, relay in self.relays:
            relay.call(member.backend.worker_stopped, self._worker_id)

    async def measure(
        self,
        *,
        lanes: Mapping[str, Lane],
        queues: tuple[str, ...],
        store: Queues,
        own: Callable[[], dict[str, Any]],
    ) -> None:
        """Send gauges every few seconds until cancelled.

        Args:
            own: the fields of `WorkerGauges` that the worker knows by itself.
        """
        wants_queues = any(member.backend.wants_queues for member, _ in self.relays)
        if wants_queues and len(queues) > MOST_QUEUES:
            logger.warning("Only the first %d queues of this worker are measured", MOST_QUEUES)
        while True:
            measured = None
            if wants_queues:
                try:
                    measured = await _queues(store, queues[:MOST_QUEUES])
                except NoPermissionError as error:
                    wants_queues = False
                    logger.warning("The queues are not measured: Redis refuses it: %s", error)
            gauges = WorkerGauges(
                worker_id=self._worker_id,
                measured_ns=time.time_ns(),
                executors={name: _executor(lane) for name, lane in lanes.items()},
                queues=measured,
                **own(),
            )
            for member, relay in self.relays:
                relay.call(member.backend.heartbeat, gauges)
            await asyncio.sleep(GAUGES_SECONDS)

    async def close(self) -> None:
        """Bring everything that waits to the backends and flush them, within two seconds."""
        for _, relay in self.relays:
            relay.end(FLUSH_SECONDS)
        await ended({member.name: relay.is_done for member, relay in self.relays}, FLUSH_SECONDS)
        for member, relay in self.relays:
            if relay.dropped:
                logger.warning(
                    "Telemetry %s: %s dropped, as it did not keep up",
                    member.name,
                    counted(relay.dropped, "call was", "calls were"),
                )


async def _queues(store: Queues, names: tuple[str, ...]) -> Mapping[str, QueueGauges] | None:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            sizes = await store.describe(names)
    except NoPermissionError:
        raise
    except (RedisError, OSError, TimeoutError):
        return None
    return {
        size.name: QueueGauges(
            waiting=size.waiting,
            due=size.due,
            oldest_due_age_seconds=size.oldest_due_age_seconds,
            is_paused=size.is_paused,
        )
        for size in sizes
    }


def _executor(lane: Lane) -> ExecutorGauges:
    status = lane.transport.describe()
    return ExecutorGauges(
        in_flight=lane.in_flight,
        capacity=lane.transport.capacity,
        processes=status.processes,
        restarts=status.restarts,
    )
