"""Lines in and lines out: `LineSplitter` for what a process prints, `Outbox` for its stdin."""

from __future__ import annotations

import asyncio


class LineTooLong(ValueError):
    """A process printed more bytes than a line may have.

    Attributes:
        start: how the line begins.
    """

    def __init__(self, start: bytes) -> None:
        super().__init__("the line is longer than max_message_bytes")
        self.start = start


class LineSplitter:
    """Cuts a stream into lines; the cost grows with the bytes, not with the pieces."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._piece_bytes = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their ends.

        Raises:
            LineTooLong: a line, complete or not, is longer than allowed.
        """
        lines = chunk.split(b"\n")
        tail = lines.pop()
        if lines and self._pieces:
            lines[0] = b"".join((*self._pieces, lines[0]))
            self._pieces.clear()
            self._piece_bytes = 0
        if tail:
            self._pieces.append(tail)
            self._piece_bytes += len(tail)
        if self._piece_bytes > self._max_bytes:
            raise LineTooLong(self._pieces[0])
        if len(chunk) + (len(lines[0]) if lines else 0) > self._max_bytes:
            for line in lines:
                if len(line) > self._max_bytes:
                    raise LineTooLong(line)
        return lines


class Outbox:
    """Collects lines for a pipe and writes them together, about once in each turn of the loop.

    While the pipe is full nothing is written; what waits is bounded by the number of requests
    that the process may have.
    """

    def __init__(self, pipe: asyncio.WriteTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._pipe = pipe
        self._lines: list[bytes] = []
        self._is_full = False
        self._is_held = False

    def hold(self) -> None:
        """Write nothing before `release`, which comes in the same turn."""
        self._is_held = True

    def release(self) -> None:
        """Write what was put meanwhile, at once."""
        self._is_held = False
        self._flush()

    def put(self, line: bytes, *, is_last: bool = False) -> None:
        """Have a line, which must not contain a line end, written soon.

        Args:
            is_last: no other line can follow in this turn, so that waiting for one is in vain.
        """
        self._lines.append(line)
        if self._is_held:
            return
        if is_last:
            self._flush()
        elif len(self._lines) == 1 and not self._is_full:
            self._loop.call_soon(self._flush)

    def pause(self) -> None:
        """Write no more for now: the pipe is full."""
        self._is_full = True

    def resume(self) -> None:
        """Write on."""
        self._is_full = False
        self._flush()

    def close(self) -> None:
        """Write what waits, then close the pipe."""
        self._is_full = False
        self._flush()
        self._pipe.close()

    def _flush(self) -> None:
        if self._lines and not self._is_full and not self._pipe.is_closing():
            self._lines.append(b"")
            self._pipe.write(b"\n".join(self._lines))
            self._lines.clear()
