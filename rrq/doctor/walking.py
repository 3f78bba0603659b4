"""Walking through what is long, some at a time, while others write to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from rrq.store.replies import is_wrong_type, text, texts

if TYPE_CHECKING:
    from rrq.store.store import JobStore

AT_ONCE = 500
"""How many keys or entries one step reads: a millisecond of Redis, or less."""

Progress = Callable[[int | None, str], AbstractContextManager[Callable[[int], None]]]
"""Shows how far a part is, as `rrq.cli.render.progress` does: its size, and what it is."""


def silently(total: int | None, description: str) -> AbstractContextManager[Callable[[int], None]]:
    """A `Progress` that shows nothing."""
    return nullcontext(lambda steps: None)


class Walks:
    """Walks through keys, sorted sets and dead letter queues. What is there from the beginning to
    the end of a walk is met; something may be met twice."""

    def __init__(self, store: JobStore, progress: Progress) -> None:
        self._store = store
        self._redis = store.redis
        self._progress = progress

    async def keys(self, pattern: str) -> AsyncGenerator[list[str], None]:
        """The names of all keys that match."""
        left: int = await self._redis.dbsize()
        cursor = 0
        with self._progress(left, "Looking at keys") as advance:
            while True:
                cursor, keys = await self._redis.scan(cursor, match=pattern, count=AT_ONCE)
                if keys:
                    yield texts(keys)
                # So many were looked at, whether they match or not.
                advance(min(left, AT_ONCE))
                left -= min(left, AT_ONCE)
                if cursor == 0:
                    return

    async def members(self, key: str, description: str) -> AsyncGenerator[list[str], None]:
        """The members of a sorted set; none if it is no sorted set."""
        cursor = 0
        try:
            total = await self._redis.zcard(key)
            with self._progress(total, description) as advance:
                while True:
                    cursor, members = await self._redis.zscan(key, cursor, count=AT_ONCE)
                    ids = [text(member) for member, _ in members]
                    if ids:
                        yield ids
                    advance(len(ids))
                    if cursor == 0:
                        return
        except ResponseError as error:
            if not is_wrong_type(error):
                raise

    async def dead_letters(self, dlq: str) -> AsyncGenerator[list[str], None]:
        """The ids in a dead letter queue, the oldest first: new ones come in at the other end."""
        letters = self._store.dead_letters
        seen = 0
        with self._progress(
            await letters.count(dlq), f"Looking at dead letters in {dlq}"
        ) as advance:
            while True:
                ids = await letters.ids(dlq, -(seen + AT_ONCE), -(seen + 1))
                if ids:
                    yield ids
                advance(len(ids))
                seen += len(ids)
                if len(ids) < AT_ONCE:
                    return

    async def names(self, key: str) -> set[str]:
        """The members of a set that is never long; none if it is no set."""
        try:
            return set(texts(await self._redis.smembers(key)))
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            return set()
