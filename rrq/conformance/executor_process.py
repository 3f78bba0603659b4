"""`CheckedProcess`: an executor that is being checked, driven line by line as a worker does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from rrq.conformance.executor_answer import Answer, Expectation, UnansweredPoint, WrongPoint
from rrq.conformance.executor_lines import LineReader
from rrq.conformance.report import Line, shown
from rrq.conformance.sameness import parse
from rrq.exc import RRQError
from rrq.protocol import (
    MAX_MESSAGE_BYTES,
    PROTOCOL_FEATURES,
    ExecutionOutcome,
    Hello,
    Progress,
    decode_executor_line,
)

SILENCE_SECONDS = 0.5
"""How long a process that need not say hello is waited for."""


WRITE_BYTES = 256 * 1024
"""Written in one go, so that one that reads slowly is not taken for one that does not."""


class CheckedProcess:
    """One process of the executor.

    Args:
        command: the program and its arguments.
        limit_seconds: how long any answer may take.
        start_limit_seconds: how long the first line may take.
        write_down: takes every line that is exchanged.
        features: what the process is told in `RRQ_PROTOCOL_FEATURES`; None leaves it out.
        surroundings: more variables of its environment.

    Attributes:
        hello: what it said of itself, if it did.
        faults: what it printed that a worker would replace it for.
        has_spoken: whether it printed anything.
        was_told_features: whether it may say hello.
        stray_progress: progress of jobs that it was not asked for, which a worker passes over.
    """

    def __init__(
        self,
        command: Sequence[str],
        limit_seconds: float,
        start_limit_seconds: float,
        write_down: Callable[[Line], None],
        features: str | None = PROTOCOL_FEATURES,
        surroundings: Mapping[str, str] | None = None,
    ) -> None:
        self.hello: Hello | None = None
        self.faults: list[str] = []
        self._command = command
        self._limit_seconds = limit_seconds
        self._start_limit_seconds = start_limit_seconds
        self._write_down = write_down
        self._features = features
        self._surroundings = surroundings or {}
        self._expected: list[Expectation] = []
        self._answered: set[str] = set()
        self._last_outcome = b""
        self.has_spoken = False
        self.was_told_features = features is not None
        self.stray_progress: list[str] = []
        self._is_ending = False
        self._turn_to_write = asyncio.Lock()
        self._spoke = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # -- its life -----------------------------------------------------------------------

    async def start(self, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Start it, and wait for its first line, or so much silence.

        Raises:
            RRQError: the program cannot be run.
        """
        environment = {n: v for n, v in os.environ.items() if n != "RRQ_PROTOCOL_FEATURES"}
        environment |= {"RRQ_EXECUTOR_NAME": "check", "RRQ_WORKER_ID": "rrq_worker_check"}
        if self._features is not None:
            environment["RRQ_PROTOCOL_FEATURES"] = self._features
        environment |= self._surroundings
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise RRQError(f"{self._command[0]!r} cannot be started: {why}") from None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdout = LineReader(self._process.stdout, self._take)
        stderr = LineReader(self._process.stderr, self._take_log)
        self._tasks = [
            asyncio.create_task(self._read_stdout()),
            asyncio.create_task(self._read_stderr(stderr)),
        ]
        spoke = asyncio.create_task(self._spoke.wait())
        await asyncio.wait(
            [spoke, self._tasks[0]],
            timeout=silence_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        spoke.cancel()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, as far as is known."""
        return self._process.returncode is None and not self._tasks[0].done()

    async def close_stdin(self) -> int:
        """Tell it that there is no more, wait for its end, and read what it still prints.

        Returns:
            Its exit status.

        Raises:
            WrongPoint: it does not end, or crashes, or leaves processes behind.
        """
        assert self._process.stdin is not None
        self._is_ending = True
        self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limit_seconds):
                await self._process.wait()
                await asyncio.wait(self._tasks)
        status = self._process.returncode
        if status is None:
            raise WrongPoint(f"it goes on, {self._limit_seconds:g} s after the end of its stdin")
        if _has_group(self._process.pid):
            raise WrongPoint("it ended, but a process that it started goes on")
        if status < 0:
            raise WrongPoint(f"it does not end by itself, but by {signal.Signals(-status).name}")
        if rest := self._stdout.unended.strip():
            raise WrongPoint(
                f"its last line has no line feed at its end, so no worker reads it: {shown(rest)}"
            )
        return status

    async def kill(self) -> None:
        """End it and everything that it started."""
        self._is_ending = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limit_seconds):
                await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- lines to it --------------------------------------------------------------------

    async def send(self, line: bytes, *job_ids: str) -> Expectation:
        """Write a line, whose outcome is expected under one of these ids.

        Raises:
            WrongPoint: it takes no more.
        """
        expectation = Expectation(job_ids, asyncio.get_running_loop().create_future())
        # Looked at, so that asyncio does not complain of an answer that nobody waits for any more.
        expectation.answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        if job_ids:
            self._expected.append(expectation)
        await self.write(line + b"\n")
        self._write_down(Line("check", shown(line)))
        return expectation

    async def write(self, text: bytes) -> None:
        """Write bytes.

        Raises:
            WrongPoint: it takes no more.
        """
        assert self._process.stdin is not None
        try:
            async with self._turn_to_write:
                for begin in range(0, len(text), WRITE_BYTES):
                    async with asyncio.timeout(self._limit_seconds):
                        self._process.stdin.write(text[begin : begin + WRITE_BYTES])
                        await self._process.stdin.drain()
        except TimeoutError:
            raise WrongPoint(f"it does not read its stdin for {self._limit_seconds:g} s") from None
        except (ConnectionError, RuntimeError):
            raise WrongPoint(await self._epitaph("it reads its stdin no more")) from None

    async def answer(self, expectation: Expectation) -> Answer:
        """Wait for an outcome.

        Raises:
            WrongPoint: it does not come in time, or the process ends first, or it is malformed.
        """
        limit_seconds = self._limit_seconds
        if not self.has_spoken:
            limit_seconds = max(limit_seconds, self._start_limit_seconds)
        waits: list[asyncio.Future[Any]] = [expectation.answer, self._tasks[0]]
        await asyncio.wait(waits, timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED)
        if expectation.answer.done():
            return expectation.answer.result()
        name, rest = shown(expectation.job_ids[0]), self._stdout.unended
        if self._tasks[0].done():
            raise WrongPoint(await self._epitaph(f"{name} is not answered"))
        told = f"; what it printed has no line feed at its end: {shown(rest)}" if rest else ""
        raise UnansweredPoint(f"{name} is not answered within {limit_seconds:g} s{told}")

    async def _epitaph(self, what: str) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._process.wait()
        status = self._process.returncode
        how = "its stdout is closed" if status is None else f"the process ended with {status}"
        return f"{what}: {how}"

    # -- lines from it ------------------------------------------------------------------

    async def _read_stdout(self) -> None:
        is_whole = await self._stdout.read()
        rest = self._stdout.unended
        if not is_whole:
            self.faults.append(f"a line does not end after {len(rest)} bytes: {shown(rest)}")
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        elif rest.strip() and not self._is_ending:
            # A worker would not see it.
            self.faults.append(f"its last line has no line feed at its end: {shown(rest)}")

    async def _read_stderr(self, stderr: LineReader) -> None:
        while not await stderr.read():
            stderr.forget()
        if stderr.unended:
            self._take_log(stderr.unended)

    def _take_log(self, line: bytes) -> None:
        self._write_down(Line("stderr", shown(line)))

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        self._write_down(Line("executor", shown(line)))
        is_first, self.has_spoken = not self.has_spoken, True
        self._spoke.set()
        try:
            if len(line) > MAX_MESSAGE_BYTES:
                raise ValueError(f"it has {len(line)} bytes, the most is {MAX_MESSAGE_BYTES}")
            fields = parse(line.decode())
            message = decode_executor_line(line)
        except (ValueError, RecursionError) as error:
            self._take_malformed(line, str(error))
            return
        if isinstance(message, Hello):
            self._take_hello(message, is_first, line)
        elif isinstance(message, Progress):
            self._take_progress(message, line)
        else:
            self._take_outcome(message, fields.get("result"), line)

    def _take_hello(self, hello: Hello, is_first: bool, line: bytes) -> None:
        if self._features is None:
            self.faults.append(f"hello, though nobody told it to: {shown(line)}")
        elif not is_first:
            self.faults.append(f"a hello must be the first line: {shown(line)}")
        elif hello.protocol_version != "1":
            self.faults.append(f"it speaks version {shown(hello.protocol_version)}, not 1")
        elif hello.max_in_flight is not None and hello.max_in_flight < 1:
            self.faults.append("its max_in_flight is less than 1")
        else:
            self.hello = hello

    def _take_progress(self, progress: Progress, line: bytes) -> None:
        if self._features is None:
            self.faults.append(f"progress, though nobody told it to: {shown(line)}")
        elif expectation := self._expecting(progress.job_id):
            expectation.progress.append(progress)
        elif progress.job_id not in self._answered:
            self.stray_progress.append(progress.job_id)

    def _take_outcome(self, outcome: ExecutionOutcome, result: Any, line: bytes) -> None:
        expectation = self._expecting(outcome.job_id)
        is_repeated, self._last_outcome = line == self._last_outcome, line
        is_lost = expectation is None and outcome.job_id == "unknown" and not is_repeated
        if is_lost and len(self._expected) == 1:
            why = shown(outcome.error_message or "no message")
            wrong = WrongPoint(f"a request is answered as unknown, not as its job: {why}")
            self._expected.pop().answer.set_exception(wrong)
            return
        if expectation is None:
            again = "answers a second time" if outcome.job_id in self._answered else "was not asked"
            self.faults.append(f"{shown(outcome.job_id)} {again}: {shown(line)}")
            return
        self._expected.remove(expectation)
        self._answered.update(expectation.job_ids)
        if not expectation.answer.done():
            delay = outcome.retry_after_seconds
            if delay is not None and not 0 <= delay < float("inf"):
                expectation.answer.set_exception(WrongPoint(f"its retry_after_seconds is {delay}"))
            else:
                expectation.answer.set_result(Answer(outcome, result))

    def _take_malformed(self, line: bytes, why: str) -> None:
        """A line that is no message: the answer to what is expected, if it says so."""
        with suppress(ValueError, RecursionError):
            # Less strictly: it may be no JSON for the very reason that is told.
            fields = json.loads(line.decode(errors="replace"))
            job_id = fields.get("job_id") if isinstance(fields, dict) else None
            if isinstance(job_id, str):
                expectation = self._expecting(job_id)
                if expectation is not None and not expectation.answer.done():
                    self._expected.remove(expectation)
                    expectation.answer.set_exception(
                        WrongPoint(f"its answer is no outcome ({why}): {shown(line)}")
                    )
                    return
        self.faults.append(f"a line is no message ({why}): {shown(line)}")

    def _expecting(self, job_id: str) -> Expectation | None:
        return next((one for one in self._expected if job_id in one.job_ids), None)


def _has_group(process_id: int) -> bool:
    try:
        os.killpg(process_id, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
