"""`Workers`: heartbeats, and the mailbox through which a worker or a client hears at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from rrq.store.asking import redis_now_ms
from rrq.store.line import line_of
from rrq.store.replies import is_wrong_type, texts

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys
    from rrq.store.line import Line

MAILBOX_TTL_MS = 60_000
"""As in `lua/_wake.lua`: how long a message waits for a reader that may be gone."""

MAX_MESSAGES = 1000
"""A mailbox is read in bounded parts."""


class Workers:
    """Workers, by id."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def heartbeat(self, worker_id: str, health: dict[str, Any], ttl_seconds: float) -> None:
        """Write a worker's health, to disappear after the TTL unless written again."""
        ttl_ms = round(ttl_seconds * 1000)
        now_ms = await redis_now_ms(self._redis)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._keys.health(worker_id), msgspec.json.encode(health), px=ttl_ms)
            pipeline.zadd(self._keys.workers, {worker_id: now_ms + ttl_ms})
            pipeline.zremrangebyscore(self._keys.workers, "-inf", now_ms)
            await pipeline.execute()

    async def leave(self, worker_id: str, queues: list[str]) -> None:
        """Take away all that Redis keeps of a worker that ends."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(self._keys.health(worker_id), self._keys.mailbox(worker_id))
            pipeline.zrem(self._keys.workers, worker_id)
            for queue in queues:
                pipeline.zrem(self._keys.idle(queue), worker_id)
            await pipeline.execute()

    async def ids(self) -> list[str]:
        """The workers with a heartbeat that has not expired, sorted."""
        now_ms = await redis_now_ms(self._redis)
        alive = await self._redis.zrangebyscore(self._keys.workers, now_ms, "+inf")
        return sorted(texts(alive))

    async def health(self, worker_id: str) -> tuple[dict[str, Any] | None, float | None]:
        """A worker's last health, and in how many seconds it expires; None for each if gone.

        The health is empty if what stands there cannot be read.
        """
        return (await self.healths([worker_id])).get(worker_id, (None, None))

    async def healths(
        self, worker_ids: Iterable[str]
    ) -> dict[str, tuple[dict[str, Any], float | None]]:
        """The same of many workers, by id, in one round trip; those that are gone are left out."""
        wanted = list(worker_ids)
        async with self._redis.pipeline(transaction=True) as pipeline:
            for worker_id in wanted:
                pipeline.get(self._keys.health(worker_id))
                pipeline.pttl(self._keys.health(worker_id))
            answers = await pipeline.execute(raise_on_error=False)
        found: dict[str, tuple[dict[str, Any], float | None]] = {}
        for worker_id, health, ttl_ms in zip(wanted, answers[::2], answers[1::2], strict=True):
            for answer in (health, ttl_ms):
                if isinstance(answer, Exception) and not is_wrong_type(answer):
                    raise answer
            if health is not None:
                ttl_seconds = ttl_ms / 1000 if ttl_ms >= 0 else None
                found[worker_id] = _read_health(health), ttl_seconds
        return found

    async def post(self, reader: str, message: str) -> None:
        """Put a message into a mailbox."""
        key = self._keys.mailbox(reader)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.rpush(key, message)
            pipeline.pexpire(key, MAILBOX_TTL_MS)
            await pipeline.execute()

    def mailbox(self, reader: str) -> MailReader:
        """The mailbox of a worker or a waiting client."""
        return MailReader(self._redis, self._keys.mailbox(reader))


class MailReader:
    """Reads one mailbox, on a connection of its own, which most of the time waits.

    Attributes:
        begins_to_wait: called whenever `waiting_line` is about to have one.
    """

    def __init__(self, redis: Redis, key: str) -> None:
        self.begins_to_wait: Callable[[], None] = lambda: None
        self._redis = redis
        self._key = key
        self._line = line_of(redis)
        self._is_waiting = False

    @property
    def waiting_line(self) -> Line | None:
        """The connection, while the next message is being waited for on it: what is sent over it
        now is carried out as soon as that message is there, or the wait over."""
        return self._line if self._is_waiting else None

    async def read(self, wait_seconds: float) -> list[str]:
        """All messages; waits for the first one. Empty when none came in time."""
        # Both at once: the server answers the second when the first one has ended its wait.
        wait = ("BLPOP", self._key, wait_seconds)
        take = ("LPOP", self._key, MAX_MESSAGES)
        if self._line:
            self._is_waiting = True
            self.begins_to_wait()
            try:
                first, rest = await self._line.calls(wait, take)
            finally:
                self._is_waiting = False
        else:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.execute_command(*wait)
                pipeline.execute_command(*take)
                first, rest = await pipeline.execute()
        return texts([first[1], *(rest or ())]) if first else texts(rest or ())

    async def aclose(self) -> None:
        """Close the connection; the next reading opens another."""
        if self._line:
            await self._line.aclose()


def _read_health(answer: Any) -> dict[str, Any]:
    try:
        health = msgspec.json.decode(answer) if isinstance(answer, bytes) else None
    except (ValueError, RecursionError):
        return {}
    return health if isinstance(health, dict) else {}
