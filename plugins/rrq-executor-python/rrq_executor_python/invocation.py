"""`Execution`: one request from its raw text to its outcome, whatever the handler does.

The runtime process and the in-process `PythonExecutor` share it. An outcome always comes back;
the only exception that leaves `run` is the cancellation of the task by somebody else.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rrq.exc import RetryJob
from rrq.protocol import (
    HANDLER_NOT_FOUND,
    ExecutionOutcome,
    ExecutionRequest,
    OutcomeStatus,
    Progress,
)
from rrq.store.codec import encode_json
from rrq.store.keys import Keys
from rrq.telemetry import get_telemetry
from rrq_executor_python.context import JobContext, ProgressReporter
from rrq_executor_python.deadlines import Deadlines
from rrq_executor_python.failure import (
    MESSAGE_LIMIT_BYTES,
    error_message,
    log_failure,
    log_line,
    printable,
)

if TYPE_CHECKING:
    from rrq.client import RRQClient
    from rrq.registry import Handler, JobRegistry
    from rrq.settings import RRQSettings

StopReason = Literal["cancel", "deadline"]

CANCELLED = "Cancelled"
"""The `error_type` of a handler that was cancelled by request."""


class Invoker:
    """What all executions of one process share.

    Args:
        job_registry: the handlers.
        settings: the handlers' `ctx["settings"]`.
        client: the handlers' `ctx["rrq_client"]`.
        threads: where plain functions run.
        send_progress: takes what handlers report; None drops it.
        worker_id: for requests that name no worker.
    """

    def __init__(
        self,
        job_registry: JobRegistry,
        settings: RRQSettings,
        client: RRQClient,
        threads: ThreadPoolExecutor,
        send_progress: Callable[[Progress], None] | None = None,
        worker_id: str | None = None,
    ) -> None:
        self.settings = settings
        self.keys = Keys(settings.key_prefix)
        self.client = client
        self.threads = threads
        self.send_progress = send_progress
        self.worker_id = worker_id
        self.deadlines = Deadlines()
        self._job_registry = job_registry
        self._kinds: dict[str, tuple[Handler, bool]] = {}

    def find(self, function_name: str) -> tuple[Handler, bool] | None:
        """The handler of that name and whether it is async, or None."""
        handler = self._job_registry.get_handler(function_name)
        if handler is None:
            return None
        kind = self._kinds.get(function_name)
        if kind is None or kind[0] is not handler:
            kind = self._kinds[function_name] = (handler, _is_async(handler))
        return kind


class Execution:
    """One request while it runs.

    Args:
        loop: the running one. To ask for it costs a system call on Python 3.11.

    Attributes:
        request: the request.
        stopped_by: why it is to stop, if it is.
    """

    __slots__ = ("_in_thread", "_invoker", "_loop", "_task", "request", "stopped_by")

    def __init__(
        self, invoker: Invoker, request: ExecutionRequest, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.request = request
        self.stopped_by: StopReason | None = None
        self._invoker = invoker
        self._loop = loop
        self._task: asyncio.Task[Any] | None = None
        self._in_thread = False

    def stop(self, reason: StopReason) -> None:
        """Have an async handler cancelled; a function in a thread goes on to its end."""
        if self.stopped_by is None:
            self.stopped_by = reason
            if self._task is not None and not self._in_thread:
                self._task.cancel()

    async def run(self) -> ExecutionOutcome:
        """Call the handler.

        Raises:
            asyncio.CancelledError: the task that runs this was cancelled, not by `stop`.
        """
        request, invoker = self.request, self._invoker
        if self.stopped_by is not None:
            return self._stopped()
        found = invoker.find(request.function_name)
        if found is None:
            return self._refused(
                HANDLER_NOT_FOUND,
                f"No handler registered for function '{request.function_name}'",
            )
        try:
            args = _positional.decode(request.args) or ()
            kwargs = _named.decode(request.kwargs) or {}
            context = self._context()
        except (ValueError, RecursionError) as error:
            return self._refused(type(error).__name__, f"The request is malformed: {error}")
        loop = self._loop
        reporter = None
        if (deadline := context["deadline"]) is not None:
            remaining_seconds = deadline.timestamp() - time.time()
            if remaining_seconds <= 0:
                self.stopped_by = "deadline"
                return self._stopped()
            invoker.deadlines.watch(self, remaining_seconds, loop)
        if invoker.send_progress is not None:
            reporter = ProgressReporter(loop, invoker.send_progress)
            context.report_to(reporter)
        self._task = asyncio.current_task(loop)
        call = self._call_async if found[1] else self._call_in_thread
        try:
            telemetry = get_telemetry()
            if telemetry is None or telemetry.is_idle():
                result = await call(found[0], context, args, kwargs)
            else:
                queue_name = invoker.keys.bare_queue(request.context.queue_name)
                with telemetry.execution(request, queue_name) as spans:
                    try:
                        result = await call(found[0], context, args, kwargs)
                    finally:
                        for one in spans.told:
                            one.stopped_by = self.stopped_by
        except BaseException as error:
            return self._failed(error, found[0], context, args, kwargs)
        else:
            return self._succeeded(result)
        finally:
            self._task = None
            if deadline is not None:
                invoker.deadlines.forget(self)
            if reporter is not None:
                reporter.close(discard=self.stopped_by is not None)

    async def _call_async(
        self, handler: Handler, context: JobContext, args: Any, kwargs: Any
    ) -> Any:
        return await handler(context, *args, **kwargs)

    async def _call_in_thread(
        self, handler: Handler, context: JobContext, args: Any, kwargs: Any
    ) -> Any:
        loop = asyncio.get_running_loop()
        self._in_thread = True
        try:
            result, error = await loop.run_in_executor(
                self._invoker.threads, copy_context().run, _attempt, handler, context, args, kwargs
            )
        finally:
            self._in_thread = False
        if error is not None:
            raise error
        if inspect.isawaitable(result):
            return await result
        return result

    def _context(self) -> JobContext:
        request, invoker = self.request, self._invoker
        about = request.context
        return JobContext(
            job_id=request.job_id,
            job_try=about.attempt,
            enqueue_time=_time("enqueue_time", about.enqueue_time),
            queue_name=about.queue_name,
            worker_id=about.worker_id or invoker.worker_id,
            deadline=None if about.deadline is None else _time("deadline", about.deadline),
            trace_context=_headers.decode(about.trace_context),
            lease_token=about.lease_token,
            settings=invoker.settings,
            rrq_client=invoker.client,
        )

    def _succeeded(self, result: Any) -> ExecutionOutcome:
        if result is None:
            return ExecutionOutcome(job_id=self.request.job_id, status="success")
        try:
            text = encode_json(result)
        except Exception as error:
            message = (
                f"The result of '{self.request.function_name}' is a {type(result).__name__} that "
                f"cannot be JSON: {error_message(error)}"
            )
            log_line(f"{self._name()}: {message}")
            return self._refused(type(error).__name__, message)
        return ExecutionOutcome(
            job_id=self.request.job_id, status="success", result=msgspec.Raw(text)
        )

    def _failed(
        self, error: BaseException, handler: Handler, context: JobContext, args: Any, kwargs: Any
    ) -> ExecutionOutcome:
        if isinstance(error, asyncio.CancelledError):
            task = self._task
            if self.stopped_by is not None:
                if task is not None:
                    task.uncancel()
                return self._stopped()
            if task is not None and task.cancelling():
                raise error
        if isinstance(error, RetryJob) and self.stopped_by is None:
            return self._retried(error)
        if self.stopped_by is None and (why := _misfit(error, handler, context, args, kwargs)):
            why = printable(why, MESSAGE_LIMIT_BYTES)
            log_line(f"{self._name()}: {why}")
            return self._refused(type(error).__name__, why)
        log_failure(f"{self._name()} failed", error, _OWN_FILES)
        if self.stopped_by is not None:
            return self._stopped()
        return self._refused(type(error).__name__, error_message(error))

    def _retried(self, error: RetryJob) -> ExecutionOutcome:
        try:
            delay_seconds = _delay_seconds(error.defer_seconds)
        except (TypeError, ValueError, OverflowError):
            return self._refused(
                "TypeError",
                "RetryJob's `defer_seconds` must be a number of seconds, not "
                f"{printable(repr(error.defer_seconds), 200)}",
            )
        return ExecutionOutcome(
            job_id=self.request.job_id,
            status="retry",
            error_message=error_message(error, if_empty="Job requested retry"),
            error_type=type(error).__name__,
            retry_after_seconds=delay_seconds,
        )

    def _stopped(self) -> ExecutionOutcome:
        if self.stopped_by == "deadline":
            return self._refused("Timeout", "Job timed out.", status="timeout")
        return self._refused(CANCELLED, "The job was cancelled.")

    def _refused(
        self, error_type: str, message: str, status: OutcomeStatus = "error"
    ) -> ExecutionOutcome:
        return ExecutionOutcome(
            job_id=self.request.job_id,
            status=status,
            error_message=message,
            error_type=error_type,
        )

    def _name(self) -> str:
        request = self.request
        return f"Job {request.job_id} ({request.function_name}, attempt {request.context.attempt})"


def _attempt(
    handler: Handler, context: JobContext, args: Any, kwargs: Any
) -> tuple[Any, BaseException | None]:
    # A future cannot carry a StopIteration: what was raised is returned.
    try:
        return handler(context, *args, **kwargs), None
    except BaseException as error:
        return None, error


_positional: msgspec.json.Decoder[list[Any] | None] = msgspec.json.Decoder(list[Any] | None)
_named: msgspec.json.Decoder[dict[str, Any] | None] = msgspec.json.Decoder(dict[str, Any] | None)
_headers: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)

_OWN_FILES = frozenset({__file__})
_CALLS_OF_A_HANDLER = frozenset({Execution._call_async.__code__, _attempt.__code__})


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - the method itself is asked for
    )


def _misfit(
    error: BaseException, handler: Handler, context: JobContext, args: Any, kwargs: Any
) -> str | None:
    """Why the arguments do not fit the handler, or None if the error is another one."""
    if not isinstance(error, TypeError):
        return None
    innermost = error.__traceback__
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    if innermost is None or innermost.tb_frame.f_code not in _CALLS_OF_A_HANDLER:
        return None  # It was raised inside the handler.
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(context, *args, **kwargs)
    except TypeError as misfit:
        name = getattr(handler, "__name__", type(handler).__name__)
        return f"The arguments do not fit {name}{signature}: {misfit}"
    return None


def _time(name: str, text: str) -> datetime:
    try:
        time_ = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"the field `context.{name}` is no RFC 3339 time: {text!r}") from None
    return time_ if time_.tzinfo else time_.replace(tzinfo=UTC)


def _delay_seconds(delay: Any) -> float | None:
    if delay is None:
        return None
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
    if not math.isfinite(seconds):
        raise ValueError
    return max(0.0, seconds)
