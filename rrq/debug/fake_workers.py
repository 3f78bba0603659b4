"""`show_fake_workers`: heartbeats of workers that are not there, for a while."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rrq.store.keys import WORKER_ID_PREFIX

if TYPE_CHECKING:
    from rrq.store.store import JobStore

INTERVAL_SECONDS = 2.0
TTL_SECONDS = 12.0
CAPACITY = 10


def fake_worker_ids(count: int) -> list[str]:
    """New ids, which all begin with `rrq_worker_test_`."""
    return [f"{WORKER_ID_PREFIX}test_{uuid4().hex[:12]}" for _ in range(count)]


async def show_fake_workers(
    store: JobStore, ids: Sequence[str], *, duration_seconds: float, stopping: asyncio.Event
) -> None:
    """Keep the heartbeats of these workers going, then take away all that they left.

    Args:
        duration_seconds: for how long.
        stopping: ends it earlier when it is set.
    """
    queue = store.keys.bare_queue(store.settings.default_queue_name)
    started_at = datetime.now(UTC).isoformat()
    ends_at = time.monotonic() + duration_seconds
    try:
        while not stopping.is_set() and (left := ends_at - time.monotonic()) > 0:
            for worker_id in ids:
                health = _health(worker_id, queue, started_at)
                await store.workers.heartbeat(worker_id, health, TTL_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(INTERVAL_SECONDS, left)):
                    await stopping.wait()
    finally:
        for worker_id in ids:
            await store.workers.leave(worker_id, [queue])


def _health(worker_id: str, queue: str, started_at: str) -> dict[str, Any]:
    active = random.randint(0, CAPACITY)
    idle = {0: "idle (no jobs)", CAPACITY: "idle (concurrency limit)"}
    return {
        "worker_id": worker_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "status": idle.get(active, "polling"),
        "active_jobs": active,
        "concurrency_limit": CAPACITY,
        "queues": [queue],
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": started_at,
        "counts": {},
        "executors": {},
    }
