"""`Proxy`: the network between a worker and Redis, with the faults that networks have."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Literal

Mood = Literal["pass", "refuse", "swallow"]


class Proxy:
    """Listens on a loopback port and passes everything on to a server's unix socket.

    A connection that was caught in a `swallow` stays dead for its whole life, as one does whose
    other end lost its state: neither side ever hears that it is gone.
    """

    def __init__(self, upstream_socket: str) -> None:
        self._upstream_socket = upstream_socket
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mood: Mood = "pass"
        self.delay_seconds = 0.0
        self.port = 0
        self.accepted = 0

    @property
    def dsn(self) -> str:
        """The address for a worker."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection; new ones get through, unless refused or swallowed."""
        for connection in list(self._connections):
            connection.reset()

    def refuse(self) -> None:
        """Reset every connection, and each new one at once."""
        self._mood = "refuse"
        self.cut()

    def swallow(self) -> None:
        """Carry nothing any more, over old connections or new, without a word to either side."""
        self._mood = "swallow"
        for connection in self._connections:
            connection.is_dead = True

    def delay(self, seconds: float) -> None:
        """Hold every piece back for so long, in each direction."""
        self.delay_seconds = seconds

    def restore(self) -> None:
        """Let new connections through, and take no time."""
        self._mood = "pass"
        self.delay_seconds = 0.0

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        if self._mood == "refuse":
            writer.transport.abort()
            return
        try:
            upstream = await asyncio.open_unix_connection(self._upstream_socket)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, upstream[1], is_dead=self._mood == "swallow")
        self._connections.add(connection)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(
                    self._carry(connection, reader, upstream[1]),
                    self._carry(connection, upstream[0], writer),
                )
        finally:
            self._connections.discard(connection)
            connection.reset()

    async def _carry(
        self, connection: _Connection, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(64 * 1024):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if not connection.is_dead:
                    sink.write(piece)
                    await sink.drain()
        if not connection.is_dead:
            connection.reset()


class _Connection:
    def __init__(
        self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, *, is_dead: bool
    ) -> None:
        self._ends = (client, server)
        self.is_dead = is_dead

    def reset(self) -> None:
        for end in self._ends:
            end.transport.abort()
