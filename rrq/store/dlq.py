"""`DeadLetters`: what ended in a dead letter queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.store.replies import texts

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys


class DeadLetters:
    """Dead letter queues, by name: bare or full key."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def count(self, name: str) -> int:
        """How many jobs are in it."""
        return int(await self._redis.llen(self._keys.dlq(name)))

    async def ids(self, name: str, start: int = 0, end: int = -1) -> list[str]:
        """Ids, the newest first, from index `start` to `end` inclusive."""
        ids = await self._redis.lrange(self._keys.dlq(name), start, end)
        return texts(ids)
