"""`connect`: a connection to an executor that has said hello."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rrq.protocol import PROTOCOL_VERSION, Hello, decode_executor_line
from rrq_transport_socket.address import Address, Streams

ATTEMPT_SECONDS = 4.0
"""How long one attempt may take, up to the hello; less than a check in `rrq check` may take."""


class NoExecutor(Exception):
    """No executor answers there; the message completes a sentence that begins with the address."""


@dataclass(frozen=True, slots=True)
class Greeted:
    """A connection and the hello that came over it."""

    streams: Streams
    hello: Hello

    def close(self) -> None:
        """Close the connection."""
        self.streams[1].close()


async def connect(address: Address, max_line_bytes: int) -> Greeted:
    """Connect once.

    Raises:
        NoExecutor: nobody listens there, or whoever does is no executor.
    """
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            streams = await address.open(max_line_bytes)
            try:
                return Greeted(streams, await _hello(streams[0]))
            except BaseException:
                streams[1].close()
                raise
    except TimeoutError:
        raise NoExecutor(f"{address} says no hello within {ATTEMPT_SECONDS:g} s") from None
    except OSError as error:
        raise NoExecutor(f"{address} does not answer: {error.strerror or error}") from None
    except ValueError as error:
        raise NoExecutor(f"{address} speaks another protocol: {error}") from None


async def _hello(reader: asyncio.StreamReader) -> Hello:
    line = await reader.readline()
    if not line:
        raise ConnectionResetError("it closed the connection before its hello")
    hello = decode_executor_line(line)
    if not isinstance(hello, Hello):
        raise ValueError("its first line is no hello")
    if hello.protocol_version != PROTOCOL_VERSION:
        raise ValueError(f"version {hello.protocol_version!r}, not {PROTOCOL_VERSION!r}")
    if hello.max_in_flight is not None and hello.max_in_flight < 1:
        raise ValueError("max_in_flight must be at least 1")
    return hello
