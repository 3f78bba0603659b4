"""`Bench`: where an executor is checked: its process, which is replaced when it is spoilt, and
the requests that it is given."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal

from rrq.conformance.executor_answer import AbsentPoint, Answer, Expectation, WrongPoint
from rrq.conformance.executor_process import SILENCE_SECONDS, CheckedProcess
from rrq.conformance.report import LINES_KEPT, Line
from rrq.conformance.sameness import parse, value_difference
from rrq.protocol import HANDLER_NOT_FOUND, PROTOCOL_FEATURES

EchoShape = Literal["args and kwargs", "args", "first argument"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """The names of the handlers that the check may call.

    Attributes:
        echo: gives back `{"args": […], "kwargs": {…}}`, or the arguments, or the first of them.
        sleep: takes seconds, and succeeds so much later, unless it is stopped.
        fail: takes a message, and fails with it.
        retry: takes seconds, and asks to be run again so much later.
        report: takes current, total and message, reports that progress, and succeeds.
        print: takes a text, and prints it the way that programs of its language print.
    """

    echo: str = "echo"
    sleep: str = "sleep"
    fail: str = "fail"
    retry: str = "retry"
    report: str = "report"
    print: str = "print"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked, and how patiently.

    Attributes:
        command: the program and its arguments.
        handlers: what it can be asked to do.
        function: any handler that succeeds, for an executor that has no echo; None calls echo.
        args, kwargs: JSON texts, the arguments of `function`.
        limit_seconds: how long any answer may take.
        start_limit_seconds: how long the first line of a process may take.
    """

    command: Sequence[str]
    handlers: Handlers = field(default_factory=Handlers)
    function: str | None = None
    args: str = "[]"
    kwargs: str = "{}"
    limit_seconds: float = 10.0
    start_limit_seconds: float = 30.0


class Bench:
    """One check under way.

    Attributes:
        subject: what is checked.
        shape: how its echo gives arguments back; None until it is known.
        has_every_handler: whether it succeeds whatever the handler's name.
        transcript: what was exchanged in this point.
        faults: what a worker would have replaced its processes for.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.shape: EchoShape | None = None
        self.has_every_handler = False
        self.transcript: deque[Line] = deque(maxlen=LINES_KEPT)
        self._process: CheckedProcess | None = None
        self._is_plain = False
        self._past_faults: list[str] = []
        self._numbers = count(1)

    @property
    def faults(self) -> list[str]:
        return [*self._past_faults, *(self._process.faults if self._process else [])]

    async def process(self) -> CheckedProcess:
        """The process that the points share, a new one if the last was spoilt."""
        if self._process is not None and not self._process.is_alive:
            await self.replace()
        if self._process is None:
            self._process = await self.fresh()
        return self._process

    async def fresh(
        self, features: str | None = PROTOCOL_FEATURES, **surroundings: str
    ) -> CheckedProcess:
        """A process of the caller's own, who gives it to `dismiss`.

        Args:
            features: what it is told that the worker understands.
            surroundings: more variables of its environment.
        """
        process = CheckedProcess(
            self.subject.command,
            self.subject.limit_seconds,
            self.subject.start_limit_seconds,
            self.transcript.append,
            features,
            surroundings,
        )
        await process.start(0 if self._is_plain else SILENCE_SECONDS)
        return process

    async def dismiss(self, process: CheckedProcess) -> None:
        """End a process, and remember what it did wrong."""
        await process.kill()
        # One that spoke and said no hello need not be waited for the next time.
        if process.has_spoken and process.was_told_features:
            self._is_plain = process.hello is None
        self._past_faults += process.faults
        process.faults = []

    async def replace(self) -> None:
        """Give the shared process up: the next point gets another one."""
        if self._process is not None:
            process, self._process = self._process, None
            await self.dismiss(process)

    def blame(self, process: CheckedProcess, sign: str) -> None:
        """Count faults that have this in them against the point, not against stdout as such.

        Raises:
            WrongPoint: there is one.
        """
        mine = [fault for fault in process.faults if sign in fault]
        process.faults = [fault for fault in process.faults if sign not in fault]
        if mine:
            raise WrongPoint(mine[0])

    async def introduced(self) -> CheckedProcess:
        """The process that the points share, which has spoken, and said hello if it ever will."""
        process = await self.process()
        if not process.has_spoken:
            await self.succeed(process)
        return process

    async def max_in_flight(self) -> int:
        """How many requests it wants at once."""
        hello = (await self.introduced()).hello
        return hello.max_in_flight or 1 if hello else 1

    # -- requests -----------------------------------------------------------------------

    def request(
        self,
        function_name: str,
        args: str = "[]",
        kwargs: str = "{}",
        job_id: str | None = None,
        **context: Any,
    ) -> tuple[str, bytes]:
        """A request's id and line; `args` and `kwargs` are JSON texts."""
        number = next(self._numbers)
        job_id = job_id or f"check-{number}"
        about = {
            "job_id": job_id,
            "attempt": 1,
            "enqueue_time": rfc3339(datetime.now(UTC)),
            "queue_name": "default",
            "deadline": None,
            "trace_context": None,
            "worker_id": "rrq_worker_check",
            "lease_token": number,
            **context,
        }
        line = (
            f'{{"protocol_version":"1","job_id":{json.dumps(job_id)},'
            f'"function_name":{json.dumps(function_name)},"args":{args},"kwargs":{kwargs},'
            f'"context":{json.dumps(about, separators=(",", ":"))}}}'
        )
        return job_id, line.encode()

    async def begin(
        self, process: CheckedProcess, function_name: str, *args: Any, **context: Any
    ) -> Expectation:
        """Send a request."""
        job_id, line = self.request(function_name, json.dumps(args), **context)
        return await process.send(line, job_id)

    async def call(self, function_name: str, *args: Any, **context: Any) -> Answer:
        """Send a request to the shared process, and wait for its outcome."""
        process = await self.process()
        return await process.answer(await self.begin(process, function_name, *args, **context))

    async def try_handler(self, function_name: str, *args: Any, **context: Any) -> Answer:
        """As `call`, for a handler that need not be there.

        Raises:
            AbsentPoint: it is not there.
            WrongPoint: it is not, but the hello lists it.
        """
        if self.has_every_handler:
            raise AbsentPoint("not tried: it has a handler for every name")
        answer = await self.call(function_name, *args, **context)
        if answer.outcome.error_type == HANDLER_NOT_FOUND:
            hello = (await self.process()).hello
            if hello is not None and function_name in (hello.functions or ()):
                raise WrongPoint(
                    f"`{function_name}` is answered with {HANDLER_NOT_FOUND}, but its hello lists "
                    "it: that type sends a job straight to the dead letter queue"
                )
            raise AbsentPoint(f"not tried: it has no handler `{function_name}`")
        return answer

    def good_request(
        self, job_id: str | None = None, word: str = "hello", **context: Any
    ) -> tuple[str, bytes]:
        """A request that must succeed."""
        subject = self.subject
        if subject.function is not None:
            return self.request(subject.function, subject.args, subject.kwargs, job_id, **context)
        return self.request(subject.handlers.echo, json.dumps([word]), "{}", job_id, **context)

    async def succeed(self, process: CheckedProcess | None = None, word: str = "hello") -> None:
        """Have a good request answered.

        Raises:
            WrongPoint: it is not.
        """
        process = process or await self.process()
        job_id, line = self.good_request(word=word)
        answer = await process.answer(await process.send(line, job_id))
        self.check_good(answer, word)

    def check_good(self, answer: Answer, word: str) -> None:
        """Check the answer to a good request.

        Raises:
            WrongPoint: it is no success, or not of this request.
        """
        check_status(answer, "success")
        if self.shape is not None:
            self.check_echo(answer, json.dumps([word]), "{}")

    def check_echo(self, answer: Answer, args: str, kwargs: str | None) -> None:
        """Check that a result is what was sent.

        Raises:
            WrongPoint: it is not.
        """
        check_status(answer, "success")
        positional = parse(args)
        expected: Any = positional
        if self.shape == "first argument":
            expected = positional[0] if positional else None
        elif self.shape == "args and kwargs":
            expected = {"args": positional, "kwargs": parse(kwargs or "{}")}
        if unlike := value_difference(expected, answer.result, "result"):
            raise WrongPoint(unlike)

    def learn_shape(self, answer: Answer, args: list[Any], kwargs: dict[str, Any]) -> None:
        """See from its first answer how the echo gives arguments back.

        Raises:
            WrongPoint: it gives back something else.
        """
        shapes: dict[EchoShape, Any] = {
            "args and kwargs": {"args": args, "kwargs": kwargs},
            "args": args,
            "first argument": args[0],
        }
        for shape, expected in shapes.items():
            if answer.result == expected:
                self.shape = shape
                return
        raise WrongPoint(
            f"`{self.subject.handlers.echo}` gives back {json.dumps(answer.result)[:100]}, not its "
            "arguments: name another handler with --function"
        )


def deadline_in(seconds: float) -> str:
    """A deadline so long from now."""
    return rfc3339(datetime.now(UTC) + timedelta(seconds=seconds))


def check_status(answer: Answer, expected: str) -> None:
    """Check an outcome's status.

    Raises:
        WrongPoint: it is another one.
    """
    outcome = answer.outcome
    if outcome.status != expected:
        why = f": {outcome.error_message}" if outcome.error_message else ""
        raise WrongPoint(f"its status is {outcome.status}, not {expected}{why[:200]}")


def rfc3339(moment: datetime) -> str:
    """A moment as the protocol writes it."""
    return moment.isoformat().replace("+00:00", "Z")
