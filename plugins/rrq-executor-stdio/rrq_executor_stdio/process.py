"""`ExecutorProcess`: one running executor, the requests that it has, and how it ends.

It is the event loop's protocol for the process. All lines that arrived together are taken in
one go, and all requests of one turn of the loop leave in one write.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from typing import cast

from rrq.exc import ExecutorLost
from rrq.protocol import (
    PROTOCOL_VERSION,
    Cancel,
    ExecutionOutcome,
    Hello,
    Progress,
    decode_executor_line,
    encode_line,
)
from rrq.transport import Ended
from rrq_executor_stdio.config import PoolConfig
from rrq_executor_stdio.flight import Flight, Listener
from rrq_executor_stdio.launch import signal_group
from rrq_executor_stdio.lines import LineSplitter, LineTooLong, Outbox
from rrq_executor_stdio.reasons import excerpt, exit_reason
from rrq_executor_stdio.stderr import StderrLog

_STDIN, _STDOUT, _STDERR = 0, 1, 2

_EXIT_SECONDS = 0.5
"""How long a process may outlive its stdin or stdout before it is killed."""

_DRAIN_SECONDS = 0.5
"""How long the pipes of an exited process are read for what it printed last."""


class ExecutorProcess(asyncio.SubprocessProtocol):
    """One executor process, from its spawn to its end.

    Attributes:
        pid: its process id.
        spawned_at: when, by the loop's clock.
        in_flight: its requests by job id, those that are no longer wanted included.
        slots: how many requests it takes at once; 0 before `open` and when it ends.
        is_kept: whether it is for one request alone, and takes no other.
        hello: what it said of itself, if it did.
        has_answered: whether it ever answered a request.
        introduced: done when it said hello.
        gone: done when it has ended and everything that it printed was read.
        death: why it ended, once it did.
    """

    pid: int

    def __init__(self, executor_name: str, config: PoolConfig, listener: Listener) -> None:
        self._loop = asyncio.get_running_loop()
        self._executor_name = executor_name
        self._config = config
        self._listener = listener
        self._logger = logging.getLogger(f"rrq.executor.{executor_name}")

        self.spawned_at = self._loop.time()
        self.in_flight: dict[str, Flight] = {}
        self.slots = 0
        self.is_kept = False
        self.hello: Hello | None = None
        self.has_answered = False
        self.introduced: asyncio.Future[None] = self._loop.create_future()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self.death: str | None = None

        self._lines = LineSplitter(config.max_message_bytes)
        self._has_spoken = False
        self._is_deaf = False
        self._is_open = False
        self._is_ending = False
        self._has_exited = False
        self._why: str | None = None
        self._guilt: Mapping[str, str] | None = None
        self._unwanted: dict[str, asyncio.TimerHandle | None] = {}
        self._watchdog: asyncio.TimerHandle | None = None
        self._last_wait: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """As in `executor 'python' process 4711`."""
        return f"executor {self._executor_name!r} process {self.pid}"

    @property
    def capacity(self) -> int:
        """How many requests it can hold, less those that have not stopped though unwanted."""
        if self.is_kept and self.slots:
            return len(self.in_flight) - len(self._unwanted)
        return max(0, self.slots - len(self._unwanted))

    @property
    def is_single(self) -> bool:
        """Whether it takes one request at a time, and cannot say otherwise any more."""
        return self.slots == 1 and (self._has_spoken or self._config.max_in_flight == 1)

    @property
    def has_shown_life(self) -> bool:
        """Whether it said hello or answered anything."""
        return self.has_answered or self.hello is not None

    @property
    def was_killed(self) -> bool:
        """Whether it was ended for a request's sake, or dismissed, not for how it behaved."""
        return self._guilt is not None

    @property
    def last_lines(self) -> list[str]:
        """What it printed last to stderr, at most 20 lines."""
        return self._stderr.last_lines()

    # Requests

    def open(self) -> None:
        """Let it take requests."""
        if not self._is_open:
            self._is_open = True
            self._set_slots()
            if limit_seconds := self._config.response_timeout_seconds:
                self._watch(limit_seconds)

    def send(self, job_id: str, line: bytes, ended: Ended) -> Flight:
        """Give it a request, which it must have room for, under an id that it does not have."""
        flight = Flight(ended, self._loop.time())
        self.in_flight[job_id] = flight
        self._outbox.put(line, is_last=len(self.in_flight) >= self.slots)
        return flight

    def abandon(self, job_id: str, flight: Flight) -> None:
        """The caller no longer wants this one: stop it, if need be with the whole process."""
        if self.in_flight.get(job_id) is not flight:
            return
        flight.is_wanted = False
        self._unwanted[job_id] = None
        if self.hello is None or "cancel" not in self.hello.features:
            self._end_unwanted(job_id)
        elif not self._is_ending:
            self._outbox.put(encode_line(Cancel(job_id=job_id)))
            self._unwanted[job_id] = self._loop.call_later(
                self._config.cancel_grace_seconds, self._end_unwanted, job_id
            )

    def _end_unwanted(self, job_id: str) -> None:
        self.kill(f"was killed to stop the cancelled job {job_id}", guilt={})

    def _watch(self, limit_seconds: float) -> None:
        silent_since = self._loop.time() - limit_seconds
        guilt = {
            job_id: f"{self.name} did not answer job {job_id} within {limit_seconds:g} s"
            for job_id, flight in self.in_flight.items()
            if flight.is_wanted and flight.heard_at <= silent_since
        }
        if guilt:
            self.kill(f"was killed: no answer to {', '.join(guilt)} within its time", guilt=guilt)
        else:
            pause_seconds = min(1.0, limit_seconds / 10)
            self._watchdog = self._loop.call_later(pause_seconds, self._watch, limit_seconds)

    def _set_slots(self) -> None:
        slots = self._limit() if self._is_open and not self._is_ending else 0
        if slots != self.slots:
            self.slots = slots
            self._listener.capacity_changed()

    def _limit(self) -> int:
        offered = self.hello.max_in_flight if self.hello is not None else None
        limits = [n for n in (self._config.max_in_flight, offered) if n is not None]
        return min(limits, default=1)

    # What it prints

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == _STDERR:
            self._stderr.feed(data)
            return
        if self._is_deaf:
            return
        try:
            lines = self._lines.feed(data)
        except LineTooLong as error:
            self._violation(error.start, str(error))
            return
        # Each outcome may bring a new request: they leave together.
        self._outbox.hold()
        try:
            for line in lines:
                self._take(line)
                if self._is_deaf:
                    return
        finally:
            self._outbox.release()

    def _take(self, line: bytes) -> None:
        try:
            message = decode_executor_line(line)
        except ValueError as error:
            if line.strip():
                self._violation(line, str(error))
            return
        if type(message) is ExecutionOutcome:
            self._take_outcome(message, line)
        elif type(message) is Progress:
            self._take_progress(message)
        else:
            self._take_hello(cast(Hello, message), line)
        self._has_spoken = True

    def _take_outcome(self, outcome: ExecutionOutcome, line: bytes) -> None:
        flight = self.in_flight.pop(outcome.job_id, None)
        if flight is None:
            self._violation(line, "it answers a job that this process does not have")
            return
        self.has_answered = True
        if not flight.is_wanted:
            if grace := self._unwanted.pop(outcome.job_id):
                grace.cancel()
            self._listener.capacity_changed()
        self._listener.room()
        flight.end(outcome)

    def _take_progress(self, progress: Progress) -> None:
        # One that was overtaken by its outcome is no fault.
        flight = self.in_flight.get(progress.job_id)
        if flight is not None and flight.is_wanted:
            flight.heard_at = self._loop.time()
            self._listener.progress(progress)

    def _take_hello(self, hello: Hello, line: bytes) -> None:
        if self._has_spoken:
            self._violation(line, "a hello must be the first line")
        elif hello.protocol_version != PROTOCOL_VERSION:
            self._is_deaf = True
            self.kill(
                f"speaks version {hello.protocol_version!r} of the executor protocol;"
                f" this worker speaks {PROTOCOL_VERSION!r}"
            )
        elif hello.max_in_flight is not None and hello.max_in_flight < 1:
            self._violation(line, "max_in_flight must be at least 1")
        else:
            self.hello = hello
            self.introduced.set_result(None)
            self._set_slots()

    def _violation(self, line: bytes, reason: str) -> None:
        self._is_deaf = True
        self._logger.error("%s broke the protocol (%s): %s", self.name, reason, excerpt(line))
        self.kill(f"broke the protocol: {excerpt(line)}")

    # Its end

    def kill(self, why: str, guilt: Mapping[str, str] | None = None) -> None:
        """End the process and all that it started, at once.

        Args:
            why: completes a sentence that begins with its name.
            guilt: the jobs that are to blame, with their causes; every other one is released
                without penalty. `None`: the process is to blame, so all of them are.
        """
        if not self._has_exited:
            self._begin_to_end(why, guilt)
            signal_group(self.pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Close its stdin, which asks it to finish and exit; what it leaves is not to blame."""
        if not self._has_exited:
            self._begin_to_end("was stopped", {})
            self._outbox.close()

    def terminate(self) -> None:
        """Ask a dismissed process again, with SIGTERM."""
        if not self._has_exited:
            signal_group(self.pid, signal.SIGTERM)

    def _begin_to_end(self, why: str, guilt: Mapping[str, str] | None) -> None:
        if self._why is None:
            self._why = f"{self.name} {why}"
            self._guilt = guilt
        self._is_ending = True
        self._set_slots()

    def _settle_the_rest(self, death: str) -> None:
        for grace in self._unwanted.values():
            if grace:
                grace.cancel()
        self._unwanted.clear()
        left, self.in_flight = self.in_flight, {}
        for job_id, flight in left.items():
            cause = death if self._guilt is None else self._guilt.get(job_id)
            flight.end(ExecutorLost(cause or death, penalty=cause is not None))

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._transport.get_pid()
        stdin = self._transport.get_pipe_transport(_STDIN)
        self._outbox = Outbox(cast(asyncio.WriteTransport, stdin))
        stderr = self._transport.get_pipe_transport(_STDERR)
        self._stderr = StderrLog(self._logger, self.pid, cast(asyncio.ReadTransport, stderr))

    def pause_writing(self) -> None:
        self._outbox.pause()

    def resume_writing(self) -> None:
        self._outbox.resume()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == _STDERR or self._is_ending:
            return
        # Most likely it exits: then its status says more than this.
        self._is_ending = True
        self._set_slots()
        pipe = "stdin" if fd == _STDIN else "stdout"
        self._last_wait = self._loop.call_later(_EXIT_SECONDS, self.kill, f"closed its {pipe}")

    def process_exited(self) -> None:
        self._has_exited = self._is_ending = True
        self._set_slots()
        # Its children must not outlive it, nor hold its pipes open.
        signal_group(self.pid, signal.SIGKILL)
        if self._last_wait:
            self._last_wait.cancel()
        self._last_wait = self._loop.call_later(_DRAIN_SECONDS, self._transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._last_wait, self._watchdog):
            if timer:
                timer.cancel()
        self._stderr.close()
        self._transport.close()
        status = self._transport.get_returncode()
        self.death = self._why or f"{self.name} {exit_reason(status if status else 0)}"
        try:
            self._settle_the_rest(self.death)
        finally:
            # Whatever those raise who are told, nobody waits for this in vain.
            self._listener.room()
            self.gone.set_result(None)
