"""A Redis client from settings, and which of its errors mean "wait" rather than "give up"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from rrq.dsn import mask_dsn
from rrq.exc import RedisUnavailable

if TYPE_CHECKING:
    from rrq.settings import RRQSettings

CONNECT_TIMEOUT_SECONDS = 5.0
RESPONSE_TIMEOUT_SECONDS = 4.0
"""No step takes that long: a connection that is silent for longer is dead (half open). Short
enough that jobs are claimed again within five seconds of the network's return."""

WAIT_FOR_CONNECTION_SECONDS = 30.0

_WAITING_KINDS = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    MasterDownError,
    TryAgainError,
    OSError,
)
_WAITING_CODES = (
    "LOADING",
    "READONLY",
    "OOM",
    "BUSY",
    "MISCONF",
    "MASTERDOWN",
    "NOREPLICAS",
    "UNBLOCKED",  # the server became a replica while the mailbox was being read
)


def connect(settings: RRQSettings, *, retries: int = 3, max_connections: int = 32) -> Redis:
    """A client for the settings' `redis_dsn`; it connects when it is first used.

    Args:
        retries: how often a command is sent again after a dropped connection. Every step may
            be; a worker passes 0 and decides itself.
    """
    # A Unix socket knows no keepalive, and redis-py refuses the option for it.
    tcp_only = {} if settings.redis_dsn.startswith("unix:") else {"socket_keepalive": True}
    # A thousand calls at once wait for a connection, rather than each opening one or failing.
    pool = BlockingConnectionPool.from_url(
        settings.redis_dsn,
        timeout=WAIT_FOR_CONNECTION_SECONDS,
        protocol=2,
        decode_responses=False,
        # A foreign id that is not UTF-8 must survive the way into Python and back.
        encoding_errors="surrogateescape",
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=RESPONSE_TIMEOUT_SECONDS,
        max_connections=max_connections,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05) if retries else NoBackoff(), retries),
        **tcp_only,
    )
    client: Redis = Redis.from_pool(pool)
    return client


def means_wait(error: BaseException) -> bool:
    """Whether the same call may succeed later without anybody changing the configuration."""
    if isinstance(error, AuthenticationError):
        return False
    if isinstance(error, _WAITING_KINDS):
        return True
    return isinstance(error, ResponseError) and any(
        code in str(error)[:200] for code in _WAITING_CODES
    )


def is_unreachable(error: BaseException) -> bool:
    """Whether the server did not answer at all, as against answering that it cannot."""
    return isinstance(error, RedisConnectionError | RedisTimeoutError | OSError) and not isinstance(
        error, AuthenticationError | BusyLoadingError
    )


def unavailable(settings: RRQSettings, error: BaseException) -> RedisUnavailable:
    """The error to show when Redis cannot be used, with its address and the remedy."""
    address = describe_address(settings.redis_dsn)
    if is_unreachable(error):
        return RedisUnavailable(
            f"Redis cannot be reached at {address} ({_reason(error)}). Start it, set "
            "`redis_dsn` or RRQ_REDIS_DSN, or try `rrq worker run --embedded-redis`."
        )
    return RedisUnavailable(f"Redis at {address} refuses: {_reason(error)}")


def describe_address(dsn: str) -> str:
    """Where a DSN points, without user, password or options."""
    parts = urlsplit(mask_dsn(dsn))
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


async def require_redis(redis: Any, settings: RRQSettings) -> None:
    """Return when Redis answers.

    Raises:
        RedisUnavailable: it cannot be reached, or refuses us.
    """
    try:
        await redis.execute_command("PING")
    except (RedisError, OSError) as error:
        raise unavailable(settings, error) from error


def _reason(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
