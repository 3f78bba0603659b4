"""`Runtime`: from request lines to tasks, and from their outcomes to lines.

No more than `max_in_flight` handlers run at once; further requests wait, and when they grow
too many, or nobody reads the outcomes, stdin is not read either.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextvars import copy_context
from typing import Literal

import msgspec

from rrq.protocol import (
    PROTOCOL_VERSION,
    ExecutionOutcome,
    ExecutionRequest,
    Hello,
    Progress,
    encode_line,
)
from rrq_executor_python.failure import MESSAGE_LIMIT_BYTES, log_failure, log_line, printable
from rrq_executor_python.invocation import CANCELLED, Execution, Invoker
from rrq_executor_python.stdio import LineReader, LineWriter

UNKNOWN_JOB = "unknown"
"""The job id of an outcome for a line that was no request."""


class Runtime:
    """The requests of one process, from line to line.

    Args:
        requests_fd, outcomes_fd: where lines come from, and where they go.
        max_in_flight: handlers at once.
        max_message_bytes: the longest line, in either direction.

    Attributes:
        told_to_stop: set when stdin ended or nobody reads stdout, or by `stop`.
    """

    def __init__(
        self, requests_fd: int, outcomes_fd: int, *, max_in_flight: int, max_message_bytes: int
    ) -> None:
        self.told_to_stop = asyncio.Event()
        self._max_in_flight = max_in_flight
        self._max_message_bytes = max_message_bytes
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()
        self._silent = False
        self._running: dict[Execution, asyncio.Task[None]] = {}
        self._by_id: dict[str, Execution] = {}
        self._waiting: deque[tuple[ExecutionRequest, int]] = deque()
        self._waiting_bytes = 0
        self._invoker: Invoker | None = None
        self._context = copy_context()
        self._writer = LineWriter(outcomes_fd, self._go_on, self._stop_unheard)
        self._reader = LineReader(
            requests_fd, max_message_bytes, self._take_lines, self._refuse_long_line, self.stop
        )

    def send(self, message: Hello | Progress) -> None:
        """Write a message of the protocol."""
        self._writer.send(encode_line(message))

    def start(self, invoker: Invoker) -> None:
        """Begin to read requests; their handlers see the caller's context variables."""
        self._invoker = invoker
        self._context = copy_context()
        self._reader.start()

    def stop(self) -> None:
        """Read no more; what has been read goes on."""
        self._reader.close()
        self.told_to_stop.set()

    async def finish(self) -> None:
        """Wait until everything that was read is answered."""
        await self._idle.wait()

    async def abandon(self, within_seconds: float) -> bool:
        """Cancel what is left, unanswered, so that the orchestrator runs it elsewhere.

        Returns:
            Whether there was anything left.
        """
        self._silent = True
        self._waiting.clear()
        left = list(self._running.values())
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=within_seconds)
        return bool(left)

    async def flush(self, within_seconds: float) -> None:
        """Wait until the outcomes are written, or the time is over."""
        await self._writer.flush(within_seconds)

    def _take_lines(self, lines: list[bytes]) -> None:
        for line in lines:
            if line and not line.isspace():
                self._take(line)
        self._read_if_room()

    def _take(self, line: bytes) -> None:
        try:
            request = _request_decoder.decode(line)
        except (ValueError, RecursionError) as error:
            self._take_other(line, error)
            return
        if request.protocol_version != PROTOCOL_VERSION:
            self._refuse(request.job_id, "Unsupported protocol version")
        elif self._has_room():
            self._begin(request)
        else:
            self._waiting.append((request, len(line)))
            self._waiting_bytes += len(line)
            self._idle.clear()

    def _take_other(self, line: bytes, error: Exception) -> None:
        try:
            self._cancel(_cancel_decoder.decode(line).job_id)
            return
        except (ValueError, RecursionError):
            pass
        try:
            # More lenient than the decoder, so that a job whose arguments hold broken text is
            # answered as itself.
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        head = values if isinstance(values, dict) else {}
        job_id = head.get("job_id")
        has_other_version = head.get("protocol_version", PROTOCOL_VERSION) != PROTOCOL_VERSION
        is_meant_as_request = "function_name" in head or has_other_version
        if not isinstance(job_id, str) or not is_meant_as_request:
            job_id = UNKNOWN_JOB
        if has_other_version:
            self._refuse(job_id, "Unsupported protocol version")
        else:
            self._refuse(job_id, f"The line is not a request: {error}")

    def _cancel(self, job_id: str) -> None:
        if execution := self._by_id.get(job_id):
            execution.stop("cancel")
            return
        for place, (request, size) in enumerate(self._waiting):
            if request.job_id == job_id:
                del self._waiting[place]
                self._waiting_bytes -= size
                self._refuse(job_id, "The job was cancelled.", CANCELLED)
                return

    def _begin(self, request: ExecutionRequest) -> None:
        assert self._invoker is not None
        execution = Execution(self._invoker, request, self._loop)
        self._by_id[request.job_id] = execution
        self._running[execution] = self._loop.create_task(
            self._carry(execution), context=self._context.copy()
        )
        self._idle.clear()

    async def _carry(self, execution: Execution) -> None:
        request = execution.request
        try:
            outcome = await execution.run()
        except Exception as error:
            log_failure(f"Job {request.job_id}: the runtime failed", error, frozenset())
            outcome = ExecutionOutcome(
                job_id=request.job_id,
                status="error",
                error_message=f"The runtime failed: {error}",
            )
        finally:
            del self._running[execution]
            if self._by_id.get(request.job_id) is execution:
                del self._by_id[request.job_id]
            self._go_on()
        self._answer(outcome)

    def _answer(self, outcome: ExecutionOutcome) -> None:
        if self._silent:
            return
        line = encode_line(outcome)
        if len(line) > self._max_message_bytes:
            message = (
                f"The result is too large: its line has {len(line)} bytes, the longest that "
                f"may be sent has {self._max_message_bytes} (max_message_bytes)"
            )
            log_line(f"Job {outcome.job_id}: {message}")
            self._refuse(outcome.job_id, message, "ResultTooLarge")
        else:
            self._writer.send(line, is_last=not self._running)

    def _refuse(self, job_id: str, message: str, error_type: str | None = None) -> None:
        self._writer.send(
            encode_line(
                ExecutionOutcome(
                    job_id=printable(job_id, MESSAGE_LIMIT_BYTES),
                    status="error",
                    error_message=printable(message, MESSAGE_LIMIT_BYTES),
                    error_type=error_type,
                )
            )
        )

    def _refuse_long_line(self) -> None:
        self._refuse(
            UNKNOWN_JOB,
            f"The line is longer than {self._max_message_bytes} bytes (max_message_bytes)",
        )

    def _stop_unheard(self) -> None:
        self._waiting.clear()
        self.stop()
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._has_room():
            request, size = self._waiting.popleft()
            self._waiting_bytes -= size
            self._begin(request)
        self._read_if_room()
        if not self._running and not self._waiting:
            self._idle.set()

    def _has_room(self) -> bool:
        return len(self._running) < self._max_in_flight and not self._writer.is_full

    def _read_if_room(self) -> None:
        if self._writer.is_full or self._waiting_bytes > 2 * self._max_message_bytes:
            self._reader.pause()
        else:
            self._reader.resume()


class _CancelLine(msgspec.Struct):
    # `rrq.protocol.Cancel` would also take a line without `type`.
    type: Literal["cancel"]
    job_id: str


_request_decoder = msgspec.json.Decoder(ExecutionRequest)
_cancel_decoder = msgspec.json.Decoder(_CancelLine)
