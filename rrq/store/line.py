"""`Line`: one connection to Redis that many calls share, each sent at once and answered in turn.

redis-py lends every call a connection of its pool, and the care it takes of each costs more time
than all the rest of a short call. Here redis-py opens the connection (TLS, login, database) and
hands it over; what is sent and received from then on does not pass through it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from hiredis import Reader
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from redis.asyncio import Redis

Command = Sequence[str | bytes | int | float] | bytes
"""A command's words, or all of it in Redis' wire format."""

MAX_AT_ONCE = 100
"""Calls beyond this number wait until others have their answers: what waits is not packed yet."""

CLOSE_SECONDS = 1.0


TAKEN_OVER = ("_reader", "_writer", "_host_error", "pack_command", "socket_timeout")
"""What of a connection's insides is used here. redis-py promises no name with an underscore."""


def line_of(redis: Redis) -> Line | None:
    """A new line to a client's server; None if the client is not of RRQ's making, if its DSN asks
    for what only redis-py's own connections do, or if this redis-py is made otherwise inside."""
    pool: Any = redis.connection_pool
    options = pool.connection_kwargs
    is_plain = options.get("protocol") == 2 and not options.get("health_check_interval")
    if not is_plain or not hasattr(pool.connection_class, "is_ours"):
        return None
    unopened = pool.make_connection()
    return Line(redis) if all(hasattr(unopened, name) for name in TAKEN_OVER) else None


class Line:
    """One connection, opened when it is first needed and again when it was lost.

    A call that waits in Redis, such as BLPOP, keeps the others waiting: it wants a line of its own.

    Args:
        redis: the client that knows the server, and how often a call is sent again after a dropped
            connection.
    """

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool
        self._retry: Any = redis.get_retry()
        self._wire: _Wire | None = None
        self._opening: asyncio.Task[_Wire] | None = None

    def call(self, *command: str | bytes | int | float) -> Coroutine[Any, Any, Any]:
        """Redis' answer to one command.

        Raises:
            redis.exceptions.RedisError: what the server or the connection says.
        """
        return self._retried(lambda: self._ask(command))

    def call_packed(self, command: bytes) -> Coroutine[Any, Any, Any]:
        """As `call`, for a command in Redis' wire format."""
        return self._retried(lambda: self._ask(command))

    async def calls(self, *commands: Command) -> list[Any]:
        """Redis' answers to commands that are sent together.

        Raises:
            redis.exceptions.RedisError: the first that one of them met.
        """
        answers: list[Any] = await self._retried(lambda: self._once(commands))
        return answers

    def forget_if_idle(self) -> None:
        """Close the connection if nobody waits for an answer: it may be dead without a word."""
        wire = self._wire
        if wire is not None and wire.is_usable and wire.is_idle:
            wire.close()

    async def aclose(self) -> None:
        """Close the connection; the next call opens another."""
        opening, self._opening = self._opening, None
        if opening is not None and opening.get_loop() is asyncio.get_running_loop():
            opening.cancel()
            await asyncio.wait([opening])
        wire, self._wire = self._wire, None
        if wire is not None and wire.is_usable:
            await wire.aclose()

    async def _retried(self, once: Callable[[], Awaitable[Any]]) -> Any:
        if self._wire is None or self._wire.is_closing:
            await self._opened()  # which is tried as often as a call is
        return await self._retry.call_with_retry(once, _do_nothing)

    async def _ask(self, command: Command) -> Any:
        wire = self._usable or await self._opened()
        async with wire.turns:
            return await wire.send((command,))[0]

    async def _once(self, commands: Sequence[Command]) -> list[Any]:
        wire = self._usable or await self._opened()
        async with wire.turns:
            # All of them, so that no error remains that nobody has heard of.
            together = await asyncio.gather(*wire.send(commands), return_exceptions=True)
        for answer in together:
            if isinstance(answer, BaseException):
                raise answer
        return together

    @property
    def _usable(self) -> _Wire | None:
        return self._wire if self._wire is not None and self._wire.is_usable else None

    async def _opened(self) -> _Wire:
        """A new connection, the same for all who ask while it is being made."""
        opening = self._opening
        if opening is None or opening.get_loop() is not asyncio.get_running_loop():
            opening = self._opening = asyncio.create_task(self._open())
            opening.add_done_callback(self._has_opened)
        # Whoever gives up waiting leaves the others theirs.
        return await asyncio.shield(opening)

    async def _open(self) -> _Wire:
        connection = self._pool.make_connection()
        try:
            await connection.connect()
        except BaseException:
            # It may have come far enough for the server to know it.
            await connection.disconnect(nowait=True)
            raise
        self._wire = _Wire(connection)
        return self._wire

    def _has_opened(self, opening: asyncio.Task[_Wire]) -> None:
        if self._opening is opening:
            self._opening = None
        if not opening.cancelled():
            opening.exception()  # everybody who waited for it may have given up


async def _do_nothing(_: Exception) -> None:
    """A connection that failed has closed itself."""


class _Wire(asyncio.Protocol):
    """An open connection, taken over from redis-py.

    Attributes:
        turns: to be held from before a call is sent until it is answered.
        is_closing: whether it is closed, or about to be.
    """

    def __init__(self, connection: Any) -> None:
        self.turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._timeout_seconds: float | None = connection.socket_timeout
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=DefaultParser.parse_error,
            notEnoughData=_INCOMPLETE,
        )
        self._unanswered: deque[asyncio.Future[Any]] = deque()
        self._outbox: list[bytes] = []
        self.is_closing = False
        self._closed = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._unsent_bytes = 0
        # The writer closes its transport when it is collected, and with its connection.
        self._writer = connection._writer
        connection._writer = connection._reader = None
        self._transport: asyncio.Transport = self._writer.transport
        self._transport.set_protocol(self)

    @property
    def is_usable(self) -> bool:
        """Whether it is open, and belongs to the event loop that runs."""
        return not self.is_closing and self._loop is asyncio.get_running_loop()

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._unanswered

    def send(self, commands: Sequence[Command]) -> list[asyncio.Future[Any]]:
        """Send commands; their answers, to come.

        Raises:
            redis.exceptions.ConnectionError: it was closed meanwhile.
        """
        if self.is_closing:
            raise RedisConnectionError("Connection closed by server.")
        packed = b"".join([self._packed(command) for command in commands])
        futures = [self._loop.create_future() for _ in commands]
        if self._unanswered:
            # What comes in the same turn of the loop leaves together.
            if not self._outbox:
                self._loop.call_soon(self._flush)
            self._outbox.append(packed)
        else:
            self._heard_at = self._loop.time()
            self._transport.write(packed)
        self._unanswered.extend(futures)
        if self._timer is None and self._timeout_seconds is not None:
            self._timer = self._loop.call_later(self._timeout_seconds, self._look)
        return futures

    def close(self) -> None:
        """Close it once what was written has left."""
        self.is_closing = True
        self._transport.close()

    async def aclose(self) -> None:
        """Close it and wait for that, but not for long."""
        self.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.shield(self._closed)
                return
        self._transport.abort()

    # -- what the transport tells ---------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        reader, unanswered = self._reader, self._unanswered
        reader.feed(data)
        try:
            while (answer := reader.gets()) is not _INCOMPLETE:
                if not unanswered:
                    raise InvalidResponse("Redis said what nobody had asked for")
                future = unanswered.popleft()
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except InvalidResponse as error:
            self._fail(RedisConnectionError, str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f"Error while reading from {self._where}: {exc}" if exc else _HUNG_UP
        self._fail(RedisConnectionError, reason)
        if not self._closed.done():
            self._closed.set_result(None)

    # -- parts ----------------------------------------------------------------------------

    def _packed(self, command: Command) -> bytes:
        if isinstance(command, bytes):
            return command
        return b"".join(self._connection.pack_command(*command))

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        if not self.is_closing:
            self._transport.write(b"".join(outbox))

    def _look(self) -> None:
        """Give the connection up if nothing has moved on it for as long as the timeout."""
        self._timer = None
        if not self._unanswered or self._timeout_seconds is None:
            return
        now = self._loop.time()
        unsent_bytes = self._transport.get_write_buffer_size()
        if unsent_bytes < self._unsent_bytes:
            self._heard_at = now
        self._unsent_bytes = unsent_bytes
        rest_seconds = self._heard_at + self._timeout_seconds - now
        if rest_seconds > 0:
            self._timer = self._loop.call_later(rest_seconds, self._look)
        else:
            self._fail(RedisTimeoutError, f"Timeout reading from {self._where}")

    def _fail(self, kind: type[Exception], reason: str) -> None:
        """Whoever waits hears why, and nothing more is sent."""
        self.is_closing = True
        self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._unanswered:
            future = self._unanswered.popleft()
            if not future.done():
                future.set_exception(kind(reason))

    @property
    def _where(self) -> str:
        return str(self._connection._host_error())


_INCOMPLETE = object()
_HUNG_UP = "Connection closed by server."
