"""`StderrLog`: what an executor process prints for humans, logged line by line.

Memory stays bounded whatever is printed: a long line is cut, and of a flood only as much is
read as the log keeps up with, a batch in each turn of the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

LINE_BYTES = 8 * 1024
LAST_LINES = 20
_LINES_A_TURN = 100


class Pipe(Protocol):
    """The reading end of a pipe, as the event loop has it."""

    def pause_reading(self) -> None:
        """Read no more for now."""

    def resume_reading(self) -> None:
        """Read on."""


class StderrLog:
    """Logs the stderr of one process and remembers its last lines."""

    def __init__(self, logger: logging.Logger, pid: int, pipe: Pipe) -> None:
        self._logger = logger
        self._pid = pid
        self._pipe = pipe
        self._closed = False
        self._paused = False
        self._partial = b""
        self._unlogged: deque[bytes] = deque()
        self._last: deque[bytes] = deque(maxlen=LAST_LINES)

    def feed(self, chunk: bytes) -> None:
        """Take what the process printed."""
        lines = chunk.split(b"\n")
        lines[0] = self._partial + lines[0]
        # One byte more than a line may have: the sign that it has to be cut.
        self._partial = lines.pop()[: LINE_BYTES + 1]
        self._last.extend(lines[-LAST_LINES:])
        under_way = bool(self._unlogged)
        self._unlogged.extend(lines)
        if not under_way:
            self._log_a_batch()

    def close(self) -> None:
        """Take it that nothing more will come."""
        self._closed = True
        if self._partial:
            self.feed(b"\n")

    def last_lines(self) -> list[str]:
        """The last lines, at most 20."""
        return [_text(line) for line in self._last]

    def _log_a_batch(self) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            self._unlogged.clear()
        for _ in range(min(_LINES_A_TURN, len(self._unlogged))):
            self._logger.info("[%d] %s", self._pid, _text(self._unlogged.popleft()))
        if self._unlogged:
            asyncio.get_running_loop().call_soon(self._log_a_batch)
        if not self._closed and self._paused != bool(self._unlogged):
            self._paused = not self._paused
            (self._pipe.pause_reading if self._paused else self._pipe.resume_reading)()


def _text(line: bytes) -> str:
    text = line[:LINE_BYTES].decode(errors="backslashreplace").rstrip("\r")
    return f"{text}… (cut)" if len(line) > LINE_BYTES else text
