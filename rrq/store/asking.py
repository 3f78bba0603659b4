"""What every room of the store asks in the same way: Redis' clock, and fields of many hashes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rrq.store.replies import is_wrong_type

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def redis_now_ms(redis: Redis) -> float:
    """Redis' clock, in milliseconds since the epoch, with microseconds as a fraction."""
    seconds, micros = await redis.time()
    return float(seconds * 1000 + micros / 1000)


async def hash_values(
    redis: Redis, keys: Iterable[str], fields: Sequence[str]
) -> list[Sequence[bytes | None] | None]:
    """The values of these fields for each key, in one round trip; None where there is no hash but
    a key of another type.

    Raises:
        redis.exceptions.RedisError: what the server says to any of them, beside that.
    """
    wanted = list(keys)
    if not wanted:
        return []
    async with redis.pipeline(transaction=False) as pipeline:
        for key in wanted:
            pipeline.hmget(key, fields)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception) and not is_wrong_type(answer):
            raise answer
    return [None if isinstance(answer, Exception) else answer for answer in answers]
