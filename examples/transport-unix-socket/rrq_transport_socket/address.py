"""`Address`: where an executor listens, `unix:PATH` or `tcp:HOST:PORT`."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_SILENT_SECONDS = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `port` is `None` for a Unix socket, whose path is `host`."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that a configuration names.

        Raises:
            ValueError: it names none.
        """
        kind, _, rest = text.partition(":")
        if kind == "unix" and rest:
            return cls(rest, None)
        host, _, port = rest.rpartition(":")
        if kind == "tcp" and host and port.isascii() and port.isdigit() and int(port) < 65536:
            return cls(host.strip("[]"), int(port))
        raise ValueError(f"{text!r} is neither unix:PATH nor tcp:HOST:PORT")

    async def open(self, max_line_bytes: int) -> Streams:
        """A connection to it.

        Raises:
            OSError: nobody listens there.
        """
        if self.port is None:
            return await asyncio.open_unix_connection(self.host, limit=max_line_bytes)
        streams = await asyncio.open_connection(self.host, self.port, limit=max_line_bytes)
        _notice_a_silent_end(streams[1].get_extra_info("socket"))
        return streams

    def __str__(self) -> str:
        return f"unix:{self.host}" if self.port is None else f"tcp:{self.host}:{self.port}"


def _notice_a_silent_end(connection: socket.socket) -> None:
    # A machine that lost its power closes no connection: the system asks, and tells within 25 s.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in _SILENT_SECONDS.items():
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
