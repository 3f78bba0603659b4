"""`FanOut`: all active backends as one, each isolated from the others and from the job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from rrq.protocol import ExecutionRequest
from rrq.telemetry.complaints import OnceAKind, name_of
from rrq.telemetry.contract import EnqueuedJob, RunningJob, Scalar, Telemetry
from rrq.telemetry.headers import merged, order

if TYPE_CHECKING:
    from msgspec import Raw

SLOW_SECONDS = 1.0
"""A backend whose call in an event loop takes longer is passed over, for `PASSED_OVER_SECONDS`."""

PASSED_OVER_SECONDS = 60.0

logger = logging.getLogger("rrq.telemetry")

T = TypeVar("T")

_NO_KWARGS: Mapping[str, Any] = MappingProxyType({})

_headers: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)


class Member:
    """One backend, and the guard around its calls.

    Attributes:
        carries: whether it has headers for executors.
    """

    def __init__(self, backend: Telemetry) -> None:
        self.backend = backend
        self.name = backend.name or type(backend).__qualname__
        self.carries = type(backend).carry is not Telemetry.carry
        self._may_be_idle = type(backend).is_idle is not Telemetry.is_idle
        self._passed_over_until = 0.0
        self._failures = OnceAKind(self.name)

    @property
    def is_passed_over(self) -> bool:
        """Whether it was slow within the last minute."""
        until = self._passed_over_until
        return until > 0 and time.monotonic() < until

    def is_idle(self) -> bool:
        """Whether the backend has nothing to do; once it has, it is not asked again."""
        if self._may_be_idle:
            self._may_be_idle = bool(self.quick(_is_idle, self.backend))
        return self._may_be_idle

    def guarded(self, call: Callable[..., T], *arguments: Any) -> T | None:
        """The answer of a call that may take its time, or None if it raised."""
        try:
            return call(*arguments)
        except Exception as error:
            self._failures.tell(call, error)
            return None

    def quick(self, call: Callable[..., T], *arguments: Any) -> T | None:
        """The answer of a call in an event loop, or None if it raised."""
        began = time.monotonic()
        try:
            return call(*arguments)
        except Exception as error:
            self._failures.tell(call, error)
            return None
        finally:
            if time.monotonic() - began > SLOW_SECONDS:
                self._pass_over(call, began)

    def unless_passed_over(self, call: Callable[..., T], *arguments: Any) -> T | None:
        """As `quick`; None without the call while the backend is passed over."""
        return None if self.is_passed_over else self.quick(call, *arguments)

    def entered(
        self, method: Callable[[T], AbstractContextManager[None]], subject: T
    ) -> AbstractContextManager[None] | None:
        """As `quick`, for a method that answers a block, which is entered."""
        began = time.monotonic()
        try:
            manager = method(subject)
            manager.__enter__()
            return manager
        except Exception as error:
            self._failures.tell(method, error)
            return None
        finally:
            if time.monotonic() - began > SLOW_SECONDS:
                self._pass_over(method, began)

    def attributes(
        self, args: Sequence[Any] | Raw, kwargs: Mapping[str, Any] | Raw
    ) -> Mapping[str, Scalar]:
        """The arguments that become attributes in this backend."""
        correlation = self.backend.correlation
        if correlation is None:
            return {}
        return self.quick(correlation.values, args, kwargs) or {}

    def _pass_over(self, call: Callable[..., Any], began: float) -> None:
        ended = time.monotonic()
        self._passed_over_until = ended + PASSED_OVER_SECONDS
        logger.warning(
            "Telemetry %s took %.1f s for %s and is passed over for %.0f s; jobs go on",
            self.name,
            ended - began,
            name_of(call),
            PASSED_OVER_SECONDS,
        )


class FanOut:
    """All active backends.

    Args:
        backends: in any order.
        w3c_owner: the name of the one whose W3C headers travel; None leaves it to the rule.

    Attributes:
        members: in the order of the rule for headers.
    """

    def __init__(self, backends: Iterable[Telemetry], w3c_owner: str | None = None) -> None:
        members = [Member(backend) for backend in backends]
        self.members = tuple(
            sorted(members, key=lambda one: order(one.name, one.backend.w3c_is_native, w3c_owner))
        )

    @property
    def backends(self) -> list[Telemetry]:
        """The backends themselves."""
        return [member.backend for member in self.members]

    def is_idle(self) -> bool:
        """Whether no backend has anything to do."""
        for member in self.members:  # noqa: SIM110 - a generator would double what it costs
            if not member.is_idle():
                return False
        return True

    def enqueue(
        self, job: EnqueuedJob, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = _NO_KWARGS
    ) -> Spans[EnqueuedJob]:
        """Every backend's producer span; inside, all their headers are in `job.trace_context`."""
        own = [
            EnqueuedJob(
                job_id=job.job_id,
                function_name=job.function_name,
                queue_name=job.queue_name,
                trace_context=dict(job.trace_context),
                attributes=member.attributes(args, kwargs),
            )
            for member in self.members
        ]

        def merge() -> None:
            job.trace_context = merged(job.trace_context, [one.trace_context for one in own])

        calls = [
            (member, member.backend.enqueue, one)
            for member, one in zip(self.members, own, strict=True)
        ]
        return Spans(calls, merge)

    def execution(
        self, request: ExecutionRequest, queue_name: str | None = None
    ) -> Spans[RunningJob]:
        """Every backend's span around a handler.

        Args:
            queue_name: bare, if the caller knows which part of the field's text that is.
        """
        context = request.context
        headers = _headers.decode(context.trace_context) or {}
        calls = []
        for member in self.members:
            job = RunningJob(
                job_id=request.job_id,
                function_name=request.function_name,
                queue_name=queue_name or context.queue_name,
                attempt=context.attempt,
                worker_id=context.worker_id,
                enqueue_time=context.enqueue_time,
                trace_context=headers,
            )
            if member.backend.correlation is not None:
                job.attributes = member.attributes(request.args, request.kwargs)
            calls.append((member, member.backend.execution, job))
        return Spans(calls)


class Spans(Generic[T]):
    """The context managers of all backends as one; the body's own exception reaches each.

    Attributes:
        told: what each backend was told.
    """

    __slots__ = ("_calls", "_entered", "_when_entered", "told")

    def __init__(
        self,
        calls: Sequence[tuple[Member, Callable[[T], AbstractContextManager[None]], T]],
        when_entered: Callable[[], None] | None = None,
    ) -> None:
        self.told = [subject for _, _, subject in calls]
        self._calls = calls
        self._when_entered = when_entered
        self._entered: list[tuple[Member, AbstractContextManager[None]]] = []

    def __enter__(self) -> Spans[T]:
        for member, method, subject in self._calls:
            if member.is_passed_over:
                continue
            manager = member.entered(method, subject)
            if manager is not None:
                self._entered.append((member, manager))
        if self._when_entered:
            self._when_entered()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for member, manager in reversed(self._entered):
            member.quick(manager.__exit__, kind, error, traceback)


def _is_idle(backend: Telemetry) -> bool:
    return backend.is_idle
