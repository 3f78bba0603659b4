"""`census`: how many jobs of each queue run or are dead, by looking at them one by one.

Neither the lease set nor a dead letter queue is kept by queue, so their jobs must be asked; no
more than `max_scan` of each are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rrq.store.asking import hash_values
from rrq.store.replies import text, texts

if TYPE_CHECKING:
    from rrq.store.store import JobStore

READ_AT_ONCE = 500


@dataclass
class Sample:
    """Jobs by the bare name of their queue: `seen` of `total` were looked at."""

    total: int = 0
    seen: int = 0
    by_queue: Counter[str] = field(default_factory=Counter)

    def of(self, queue: str) -> int:
        """How many of a queue were seen."""
        return self.by_queue[queue]


@dataclass
class Census:
    """Who runs, and who is in the default dead letter queue."""

    active: Sample
    dead: Sample


async def census(store: JobStore, max_scan: int) -> Census:
    """Count by looking at `max_scan` running jobs and as many new dead letters; 0: all."""
    redis, keys = store.redis, store.keys
    dlq = keys.dlq(store.settings.default_dlq_name)
    active = Sample(total=int(await redis.zcard(keys.leases)))
    dead = Sample(total=await store.dead_letters.count(dlq))

    async def running(start: int, end: int) -> list[str]:
        return texts(await redis.zrange(keys.leases, start, end))

    async def buried(start: int, end: int) -> list[str]:
        return await store.dead_letters.ids(dlq, start, end)

    for sample, ids_between in ((active, running), (dead, buried)):
        wanted = min(sample.total, max_scan or sample.total)
        while sample.seen < wanted:
            end = min(wanted, sample.seen + READ_AT_ONCE) - 1
            ids = await ids_between(sample.seen, end)
            if not ids:
                break
            sample.by_queue.update(await _queues_of(store, ids))
            sample.seen += len(ids)
    return Census(active, dead)


async def _queues_of(store: JobStore, ids: list[str]) -> list[str]:
    answers = await hash_values(store.redis, map(store.keys.job, ids), ["queue_name"])
    names = [values[0] for values in answers if values]
    return [store.keys.bare_queue(text(name)) for name in names if name]
