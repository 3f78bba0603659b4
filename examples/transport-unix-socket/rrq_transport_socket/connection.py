"""`Connection`: one connection to an executor, and the requests that are on it.

Its end is agreed on: we close our half, the executor stops what runs for us and closes its half.
Only then does nothing run there any more, and what was in flight is settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from rrq.exc import ExecutorLost
from rrq.protocol import (
    Cancel,
    ExecutionOutcome,
    Hello,
    Progress,
    decode_executor_line,
    encode_line,
)
from rrq_transport_socket.config import SocketConfig
from rrq_transport_socket.greeting import Greeted

CLOSE_SECONDS = 5.0
"""How long an executor may take to close its half; then the connection is cut."""

_DEFAULT_IN_FLIGHT = 1
_EXCERPT_CHARACTERS = 200


class Connection:
    """A greeted connection.

    Args:
        changed: told whenever there is more or less room on it.
        progress: told what handlers report.

    Attributes:
        in_flight: what the callers of requests await, by job id.
        unwanted: those of them whose callers are gone, and the end of their grace.
        has_answered: whether it was of any use.
        end: why it ended or ends, a sentence.
    """

    def __init__(
        self,
        name: str,
        greeted: Greeted,
        config: SocketConfig,
        *,
        changed: Callable[[], None],
        progress: Callable[[Progress], None],
    ) -> None:
        self.hello: Hello = greeted.hello
        self.in_flight: dict[str, asyncio.Future[ExecutionOutcome]] = {}
        self.unwanted: dict[str, asyncio.TimerHandle] = {}
        self.has_answered = False
        self.end: str | None = None
        self._name = name
        self._reader, self._writer = greeted.streams
        self._grace_seconds = config.cancel_grace_seconds
        self._changed = changed
        self._progress = progress
        self._innocent: Callable[[str], bool] = lambda job_id: False
        self._cut: asyncio.TimerHandle | None = None
        limits = (config.max_in_flight, self.hello.max_in_flight)
        self._limit = min(filter(None, limits), default=_DEFAULT_IN_FLIGHT)

    @property
    def capacity(self) -> int:
        """How many requests it takes at once now."""
        return 0 if self.end else self._limit - len(self.unwanted)

    def has_room_for(self, job_id: str) -> bool:
        """Whether it can take this request now; of two with one id only one can be told apart."""
        return not self.end and len(self.in_flight) < self._limit and job_id not in self.in_flight

    async def carry(self, job_id: str, line: bytes) -> ExecutionOutcome:
        """Send a request for which there is room, and await its outcome.

        Raises:
            ExecutorLost: the connection ended first.
        """
        outcome: asyncio.Future[ExecutionOutcome] = asyncio.get_running_loop().create_future()
        self.in_flight[job_id] = outcome
        try:
            self._writer.write(line)
            # An executor that does not read keeps us here, not in a buffer that grows.
            with suppress(ConnectionError):
                await self._writer.drain()
            return await outcome
        except asyncio.CancelledError:
            self._abandon(job_id, outcome)
            raise

    async def serve(self) -> None:
        """Take what the executor sends, until the connection has ended."""
        try:
            while line := await self._next_line():
                if not self.end and line.strip():
                    self._take(line)
        finally:
            self._settle_the_rest()
            if self._cut:
                self._cut.cancel()
            self._writer.transport.abort()

    def dismiss(self, why: str, *, innocent: Callable[[str], bool] = lambda job_id: False) -> None:
        """End the connection.

        Args:
            why: completes a sentence that begins with the address.
            innocent: which jobs are not to blame and so are released without penalty.
        """
        if self.end:
            return
        self.end = f"{self._name} {why}"
        self._innocent = innocent
        with suppress(OSError, RuntimeError):
            self._writer.write_eof()
        loop = asyncio.get_running_loop()
        self._cut = loop.call_later(CLOSE_SECONDS, self._writer.transport.abort)
        self._changed()

    # What the executor sends

    async def _next_line(self) -> bytes:
        """The next line, or nothing once the connection has ended."""
        while True:
            try:
                line = await self._reader.readline()
            except OSError as error:
                self.end = self.end or f"{self._name} was lost: {error.strerror or error}"
                return b""
            except ValueError:
                self.dismiss("sent a line that is longer than max_message_bytes")
                continue
            if not line.endswith(b"\n"):
                self.end = self.end or f"{self._name} closed the connection"
                return b""
            return line

    def _take(self, line: bytes) -> None:
        try:
            message = decode_executor_line(line)
        except ValueError as error:
            self._refuse(line, str(error))
            return
        if isinstance(message, ExecutionOutcome):
            self._take_outcome(message, line)
        elif isinstance(message, Hello):
            self._refuse(line, "it is a second hello")
        elif message.job_id in self.in_flight and message.job_id not in self.unwanted:
            self._progress(message)

    def _take_outcome(self, message: ExecutionOutcome, line: bytes) -> None:
        outcome = self.in_flight.pop(message.job_id, None)
        if outcome is None:
            self._refuse(line, "nobody asked for it")
            return
        self.has_answered = True
        if grace := self.unwanted.pop(message.job_id, None):
            grace.cancel()
        if not outcome.done():
            outcome.set_result(message)
        self._changed()

    def _refuse(self, line: bytes, reason: str) -> None:
        shown = line.decode(errors="backslashreplace").strip()[:_EXCERPT_CHARACTERS]
        self.dismiss(f"broke the protocol ({reason}): {shown}")

    # Requests that end otherwise

    def _abandon(self, job_id: str, outcome: asyncio.Future[ExecutionOutcome]) -> None:
        if self.in_flight.get(job_id) is not outcome:
            if not outcome.cancelled():
                outcome.exception()  # looked at, so that asyncio does not complain
            return
        loop = asyncio.get_running_loop()
        can_stop = "cancel" in self.hello.features
        if can_stop and not self.end:
            self._writer.write(encode_line(Cancel(job_id=job_id)) + b"\n")
        self.unwanted[job_id] = loop.call_later(
            self._grace_seconds if can_stop else 0, self._give_up, job_id
        )
        self._changed()

    def _give_up(self, job_id: str) -> None:
        self.dismiss(f"did not stop job {job_id}", innocent=lambda other: other != job_id)

    def _settle_the_rest(self) -> None:
        self.end = self.end or f"{self._name} was given up"
        for job_id, outcome in self.in_flight.items():
            if not outcome.done():
                penalty = not self._innocent(job_id)
                outcome.set_exception(ExecutorLost(self.end, penalty=penalty))
        for grace in self.unwanted.values():
            grace.cancel()
        self.in_flight.clear()
        self.unwanted.clear()
