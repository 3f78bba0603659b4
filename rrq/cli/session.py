"""`session`: one command's use of Redis, with its errors turned into RRQ's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from rrq.cli import options

if TYPE_CHECKING:
    from rrq.config import LoadedSettings
    from rrq.store.store import JobStore

T = TypeVar("T")


def session(
    config: str | None,
    redis_dsn: str | None,
    ask: Callable[[JobStore], Awaitable[T]],
    loaded: LoadedSettings | None = None,
) -> T:
    """Ask the store that the options name, and close it again.

    Args:
        loaded: the settings that they stand for, if they were loaded already.

    Raises:
        ConfigError: as `rrq.config.load_settings`.
        RedisUnavailable: Redis cannot be reached, or refuses us.
    """
    import asyncio

    settings = (loaded or options.load(config, redis_dsn)).settings

    async def asked() -> T:
        from redis.exceptions import RedisError

        from rrq.store.connection import connect, require_redis, unavailable
        from rrq.store.store import JobStore

        # Somebody waits for the answer: no second try at a server that does not answer.
        store = JobStore(settings, redis=connect(settings, retries=0))
        try:
            await require_redis(store.redis, settings)
            return await ask(store)
        except RedisError as error:
            raise unavailable(settings, error) from error
        finally:
            await store.aclose()

    return asyncio.run(asked())
