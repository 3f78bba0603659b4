"""A Redis client from settings, and which of its errors mean "wait" rather than "give up"."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from rrq.dsn import dsn_problem, mask_dsn
from rrq.exc import ConfigError, RedisUnavailable
from rrq.store.packing import with_fast_packing

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

    Raises:
        ConfigError: the DSN cannot be used.
    """
    if problem := dsn_problem(settings.redis_dsn):
        raise ConfigError(f"redis_dsn {mask_dsn(settings.redis_dsn)!r} cannot be used: {problem}")
    # A Unix socket knows no keepalive, and redis-py refuses the option for it.
    tcp_only = {} if settings.redis_dsn.startswith("unix:") else {"socket_keepalive": True}
    if settings.redis_dsn.startswith("rediss:") and "ssl_cert_reqs=none" not in settings.redis_dsn:
        # redis-py 5 takes any certificate of a trusted CA, for whatever host it was issued.
        tcp_only["ssl_check_hostname"] = True
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
    pool.connection_class = with_fast_packing(pool.connection_class)
    client: Redis = Redis.from_pool(pool)
    return client


def means_wait(error: BaseException) -> bool:
    """Whether the same call may succeed later without anybody changing the configuration."""
    if isinstance(error, AuthenticationError | NoPermissionError):
        return False
    if isinstance(error, _WAITING_KINDS):
        return True
    return isinstance(error, ResponseError) and any(
        code in str(error)[:200] for code in _WAITING_CODES
    )


def is_unreachable(error: BaseException) -> bool:
    """Whether the server did not answer at all, as against answering that it cannot."""
    # redis-py wraps a refused login in an error that is no more than a ConnectionError.
    answered = any(
        isinstance(one, AuthenticationError | BusyLoadingError) for one in _causes(error)
    )
    return isinstance(error, RedisConnectionError | RedisTimeoutError | OSError) and not answered


def unavailable(settings: RRQSettings, error: BaseException) -> RedisUnavailable:
    """The error to show when Redis cannot be used, with its address and the remedy."""
    address = describe_address(settings.redis_dsn)
    if trouble := _tls_trouble(settings.redis_dsn, error):
        return RedisUnavailable(f"TLS with Redis at {address} fails: {trouble}")
    # With a socket, redis-py takes what is wrong with the database for a connection that failed.
    if isinstance(error, AuthenticationError) or "DB index" in str(error):
        return RedisUnavailable(
            f"Redis at {address} refuses: {_reason(error)}. Correct `redis_dsn`, RRQ_REDIS_DSN or "
            "--redis-dsn."
        )
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


def _tls_trouble(dsn: str, error: BaseException) -> str | None:
    """What is wrong with TLS, and the option of the DSN that mends it; None if nothing is."""
    if not dsn.startswith("rediss:"):
        return None
    options = parse_qs(urlsplit(dsn).query)
    for name in ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"):
        for path in options.get(name, ()):
            if not os.access(path, os.R_OK):
                return f"there is no readable file {path} (the option {name} of the DSN)."
    tls_error = next((one for one in _causes(error) if isinstance(one, ssl.SSLError)), None)
    if isinstance(error, RedisTimeoutError):
        # A server without TLS waits for the rest of what it takes for a command.
        return f"no answer ({_reason(error)}). If that port speaks no TLS, write redis://"
    if tls_error is None:
        # TLS 1.3 counts as up before the server looks for our certificate: it just hangs up.
        hung_up = is_unreachable(error) and "connecting to" not in str(error)
        if hung_up and "ssl_certfile" not in options:
            return f"the server hung up ({_reason(error)}). If it wants a certificate, {_OURS}"
        return None
    if isinstance(tls_error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({tls_error.verify_message}). Name the file of the "
            "CA that issued it: rediss://…?ssl_ca_certs=/path/to/ca.pem"
        )
    reason = (tls_error.reason or _reason(tls_error)).lower().replace("_", " ")
    if "certificate required" in reason or "handshake failure" in reason:
        return f"it wants a certificate of ours ({reason}): {_OURS}"
    if "wrong version number" in reason or "record layer" in reason:
        return f"that port speaks no TLS ({reason}). Write redis:// or use its TLS port."
    return f"{reason}. Check the options ssl_ca_certs, ssl_certfile and ssl_keyfile of the DSN."


_OURS = "name one: rediss://…?ssl_certfile=/path/to/cert.pem&ssl_keyfile=/path/to/key.pem"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


_CONNECT_ERROR = re.compile(r"^Error ([0-9]+) connecting to |\[Errno ([0-9]+)\] Connect")


def _reason(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    # What redis-py says of a connection that fails has the address once or twice more.
    if "SSL" not in text and (numbers := set(_CONNECT_ERROR.findall(text))):
        return ", ".join(sorted(os.strerror(int(first or second)) for first, second in numbers))
    if failure := re.match(r"Error \S+ connecting to \S+\. (.+)", text):
        text = failure[1]
    return text.splitlines()[0][:200].rstrip(". ")
