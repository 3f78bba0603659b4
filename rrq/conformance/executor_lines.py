"""`LineReader`: what a process prints, line by line, however much of it has no end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rrq.protocol import MAX_MESSAGE_BYTES

READ_BYTES = 256 * 1024

ENDLESS_BYTES = 4 * MAX_MESSAGE_BYTES
"""So far a line is read that is too long, to tell whose answer it is."""


class LineReader:
    """Reads a stream.

    Args:
        take: gets each line, without its end.
    """

    def __init__(self, stream: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._take = take
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def unended(self) -> bytes:
        """What was read of a line whose end was not."""
        return b"".join(self._pieces)

    def forget(self) -> None:
        """Drop what was read of a line."""
        self._pieces.clear()
        self._size = 0

    async def read(self) -> bool:
        """Take lines until the stream ends (True), or until one has no end in sight (False)."""
        while chunk := await self._stream.read(READ_BYTES):
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                self._pieces.append(line)
                whole = self.unended
                self.forget()
                self._take(whole)
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > ENDLESS_BYTES:
                return False
        return True
