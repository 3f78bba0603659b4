"""`Queues`: which queues there are, and what waits in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rrq.store.asking import redis_now_ms
from rrq.store.jobs import time_from_ms
from rrq.store.replies import is_wrong_type, text, texts

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys
    from rrq.store.scripts import Steps


@dataclass(frozen=True, slots=True)
class QueueSize:
    """A queue at a glance. Times are when its first and last job become due; while it is paused,
    nothing of it starts. The age is for how long the first has been due, by Redis' clock."""

    name: str
    waiting: int
    due: int
    first_due_at: datetime | None
    last_due_at: datetime | None
    is_paused: bool = False
    oldest_due_age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job's place in its queue."""

    job_id: str
    due_at: datetime


class Queues:
    """Queues, by name: bare or full key."""

    def __init__(self, redis: Redis, steps: Steps, keys: Keys) -> None:
        self._redis = redis
        self._steps = steps
        self._keys = keys

    async def names(self) -> list[str]:
        """The bare names of all queues that RRQ's enqueue step ever saw, sorted."""
        return sorted(texts(await self._redis.smembers(self._keys.queues)))

    async def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """How many jobs wait in each, due or not."""
        wanted = list(names)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in wanted:
                pipeline.zcard(self._keys.queue(name))
            counts = await pipeline.execute()
        return dict(zip(wanted, counts, strict=True))

    async def describe(self, names: Iterable[str]) -> list[QueueSize]:
        """Each queue's size and its first and last due time; what is no queue is left out."""
        wanted = [self._keys.bare_queue(name) for name in names]
        now_ms = await redis_now_ms(self._redis)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in wanted:
                key = self._keys.queue(name)
                pipeline.zcard(key)
                pipeline.zcount(key, "-inf", now_ms)
                pipeline.zrange(key, 0, 0, withscores=True)
                pipeline.zrange(key, -1, -1, withscores=True)
            answers = await pipeline.execute(raise_on_error=False)
        paused = await self.paused()
        sizes = []
        for index, name in enumerate(wanted):
            waiting, due, first, last = answers[4 * index : 4 * index + 4]
            if is_wrong_type(waiting):
                continue
            for answer in (waiting, due, first, last):
                if isinstance(answer, Exception):
                    raise answer
            sizes.append(
                QueueSize(
                    name,
                    waiting,
                    due,
                    time_from_ms(first[0][1]) if first else None,
                    time_from_ms(last[0][1]) if last else None,
                    name in paused,
                    max(0.0, now_ms - first[0][1]) / 1000 if first else 0.0,
                )
            )
        return sizes

    async def paused(self) -> set[str]:
        """The bare names of the paused queues, whether they ever had a job or not."""
        return set(texts(await self._redis.smembers(self._keys.paused)))

    async def pause(self, name: str) -> bool:
        """Let no job of a queue start from now on; jobs that run go on. Jobs that a worker has
        claimed already, to start within 100 ms, start or come back.

        Returns whether it was not paused before.
        """
        return bool(await self._redis.sadd(self._keys.paused, self._keys.bare_queue(name)))

    async def resume(self, name: str) -> bool:
        """Let the jobs of a paused queue start again, those that are due at once.

        Returns whether it was paused.
        """
        return bool(await self._steps.call("resume", self._keys.bare_queue(name)))

    async def waiting(self, name: str, offset: int, count: int) -> list[Waiting]:
        """At most `count` jobs by due time, after the first `offset`."""
        places: Any = await self._redis.zrange(
            self._keys.queue(name), offset, offset + count - 1, withscores=True
        )
        return [Waiting(text(job_id), time_from_ms(due_ms)) for job_id, due_ms in places]

    async def waiting_ids(self, name: str, start: int = 0, end: int = -1) -> list[str]:
        """Ids by due time, from index `start` to `end` inclusive."""
        ids = await self._redis.zrange(self._keys.queue(name), start, end)
        return texts(ids)

    async def due_ids(self, name: str, count: int) -> list[str]:
        """The first `count` ids that are due by Redis' clock."""
        now_ms = await redis_now_ms(self._redis)
        ids = await self._redis.zrangebyscore(
            self._keys.queue(name), "-inf", now_ms, start=0, num=count
        )
        return texts(ids)

    async def holds(self, name: str, job_id: str) -> bool:
        """Whether a job waits in this queue."""
        return await self._redis.zscore(self._keys.queue(name), job_id) is not None

    async def remove(self, name: str, job_id: str) -> bool:
        """Take an id out of a queue without touching its hash; whether it was there."""
        return bool(await self._redis.zrem(self._keys.queue(name), job_id))

    async def head_due_ms(self, names: Iterable[str]) -> float | None:
        """When the first job of any of these queues becomes due; None if nothing waits. A paused
        queue counts as empty."""
        wanted = list(names)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in wanted:
                pipeline.zrange(self._keys.queue(name), 0, 0, withscores=True)
            heads = await pipeline.execute()
        due_ms = {name: head[0][1] for name, head in zip(wanted, heads, strict=True) if head}
        if not due_ms:
            return None
        paused = await self.paused()
        return min(
            (ms for name, ms in due_ms.items() if self._keys.bare_queue(name) not in paused),
            default=None,
        )
