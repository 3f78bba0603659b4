"""The protocol's lines on the real stdin and stdout, which nobody else in the process can reach.

`claim_standard_streams` moves the two away, so that `print`, C libraries and subprocesses write
to stderr and a handler that reads stdin finds it empty. `LineReader` and `LineWriter` work in
bulk: one read yields many lines, and one write a turn of the loop carries all that were sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
import time
from collections import deque
from collections.abc import Callable
from io import TextIOWrapper
from threading import Event, Thread

READ_BYTES = 64 * 1024
"""As much as a pipe holds on Linux. Memory for more than 128 KiB would be mapped anew for every
read, which is a third of what a short job costs here."""

HOLD_SECONDS = 0.0005
"""For about so long lines are collected within a turn of the loop: the orchestrator works on what
was finished while the handlers of the same turn go on."""

FULL_BYTES = 1024 * 1024
"""With this much unwritten, stdout counts as full."""


def claim_standard_streams() -> tuple[int, int]:
    """Private descriptors of stdin and stdout; descriptors 0 and 1 become /dev/null and stderr.

    Subprocesses do not inherit the private ones, and forked children close them.
    """
    requests_fd, outcomes_fd = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout = _line_by_line(sys.stdout)

    def leave_to_the_parent() -> None:
        os.close(requests_fd)
        os.close(outcomes_fd)

    os.register_at_fork(after_in_child=leave_to_the_parent)
    return requests_fd, outcomes_fd


def _line_by_line(stream: TextIOWrapper) -> TextIOWrapper:
    """What `print` is to write to, now that its descriptor is another."""
    if stream.seekable():
        # It was a file, and would ask in vain where in the file it is.
        return open(1, "w", 1, stream.encoding, "backslashreplace", closefd=False)
    stream.reconfigure(line_buffering=True, errors="backslashreplace")
    return stream


class LineReader:
    """Reads lines from a descriptor in the event loop.

    Args:
        fd: a pipe, socket, terminal or file.
        limit_bytes: the longest line; a longer one is skipped, never held.
        take_lines: gets the lines of one read, without their ends.
        refuse_line: called once for each line that is too long.
        ended: called when there is no more.
    """

    def __init__(
        self,
        fd: int,
        limit_bytes: int,
        take_lines: Callable[[list[bytes]], None],
        refuse_line: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._fd = fd
        self._limit_bytes = limit_bytes
        self._take_lines = take_lines
        self._refuse_line = refuse_line
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._is_pipe = _is_pipe(fd)
        self._chunk_wanted = Event()
        self._reading = False
        self._closed = False
        self._begun = bytearray()
        self._skipping = False

    def start(self) -> None:
        """Begin to read."""
        if not self._is_pipe:
            # Event loops cannot wait for files; a daemon, as a terminal may never answer.
            Thread(target=self._read_blocking, name="rrq-stdin", daemon=True).start()
        self.resume()

    def pause(self) -> None:
        """Read no more for now."""
        if self._reading:
            self._reading = False
            if self._is_pipe:
                self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        """Read again."""
        if not self._reading and not self._closed:
            self._reading = True
            if self._is_pipe:
                self._loop.add_reader(self._fd, self._read)
            else:
                self._chunk_wanted.set()

    def close(self) -> None:
        """Read no more."""
        self.pause()
        self._closed = True

    def _read(self) -> None:
        try:
            received = os.read(self._fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            received = b""
        self._receive(received)

    def _read_blocking(self) -> None:
        received = b"-"
        while received:
            self._chunk_wanted.wait()
            self._chunk_wanted.clear()
            try:
                received = os.read(self._fd, READ_BYTES)
            except OSError:
                received = b""
            try:
                self._loop.call_soon_threadsafe(self._receive_chunk, received)
            except RuntimeError:
                return  # The loop is closed: the process ends.

    def _receive_chunk(self, received: bytes) -> None:
        self._receive(received)
        if self._reading:
            self._chunk_wanted.set()

    def _receive(self, received: bytes) -> None:
        if self._closed:
            return
        if not received:
            self.close()
            if self._begun:
                self._take_lines([bytes(self._begun)])
            self._ended()
            return
        lines = received.split(b"\n")
        unfinished = lines.pop()
        if lines:
            if self._skipping:
                self._skipping = False
                del lines[0]
            elif self._begun:
                self._begun += lines[0]
                lines[0] = bytes(self._begun)
                self._begun = bytearray()
            for place in reversed(range(len(lines))):
                if len(lines[place]) > self._limit_bytes:
                    del lines[place]
                    self._refuse_line()
            self._take_lines(lines)
        if not self._skipping:
            self._begun += unfinished
            if len(self._begun) > self._limit_bytes:
                self._begun = bytearray()
                self._skipping = True
                self._refuse_line()


class LineWriter:
    """Writes lines to a descriptor, those of a turn of the loop together, and never blocks it.

    Args:
        fd: a pipe, socket, terminal or file.
        emptied: called when the descriptor took everything after it had been full.
        broken: called once when nobody reads any more; what is sent after that is dropped.
    """

    def __init__(self, fd: int, emptied: Callable[[], None], broken: Callable[[], None]) -> None:
        self._fd = fd
        self._emptied = emptied
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._lines: list[bytes] = []
        self._hold_until = 0.0
        self._unwritten: deque[memoryview] = deque()
        self._unwritten_bytes = 0
        self._is_broken = False
        self._was_full = False
        self._waiting = False
        self._all_written = asyncio.Event()
        if _is_pipe(fd):
            os.set_blocking(fd, False)

    @property
    def is_full(self) -> bool:
        """Whether the other side has fallen so far behind that no more should be begun."""
        return self._unwritten_bytes > FULL_BYTES

    def send(self, line: bytes, *, is_last: bool = False) -> None:
        """Write a line, given without its end.

        Args:
            is_last: no other line can follow in this turn, so that waiting for one is in vain.
        """
        if self._is_broken:
            return
        self._lines.append(line)
        self._unwritten_bytes += len(line) + 1
        if is_last:
            self._collect()
        elif len(self._lines) == 1:
            self._hold_until = time.monotonic() + HOLD_SECONDS
            self._loop.call_soon(self._collect)
        elif time.monotonic() > self._hold_until:
            self._collect()
        if self.is_full:
            self._was_full = True

    async def flush(self, within_seconds: float) -> None:
        """Wait until everything is written, or the time is over, or nobody reads any more."""
        self._collect()
        if self._unwritten:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_written.wait(), within_seconds)

    def _collect(self) -> None:
        if not self._lines:
            return
        self._lines.append(b"")
        text = memoryview(b"\n".join(self._lines))
        self._lines.clear()
        self._unwritten.append(text)
        self._all_written.clear()
        if not self._waiting:
            self._write()

    def _write(self) -> None:
        while self._unwritten:
            text = self._unwritten[0]
            try:
                written = os.write(self._fd, text)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self._give_up()
                return
            self._unwritten_bytes -= written
            if written == len(text):
                self._unwritten.popleft()
            else:
                self._unwritten[0] = text[written:]
        self._wait(bool(self._unwritten))
        if not self._unwritten:
            self._all_written.set()
            if self._was_full:
                self._was_full = False
                self._emptied()

    def _wait(self, wanted: bool) -> None:
        if wanted and not self._waiting:
            self._loop.add_writer(self._fd, self._write)
        elif self._waiting and not wanted:
            self._loop.remove_writer(self._fd)
        self._waiting = wanted

    def _give_up(self) -> None:
        self._wait(False)
        self._is_broken = True
        self._lines.clear()
        self._unwritten.clear()
        self._unwritten_bytes = 0
        self._all_written.set()
        self._broken()


def _is_pipe(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
