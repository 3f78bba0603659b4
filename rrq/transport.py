"""`Transport`: the contract of an executor transport, which a plugin implements.

One instance serves one `[rrq.executors.NAME]` table. Timeouts, retries, leases and the dead
letter queue are the kernel's alone; a transport carries requests and outcomes.
`rrq.testing.transport` has the tests that every transport must pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from rrq.exc import ExecutorLost
from rrq.protocol import ExecutionOutcome, ExecutionRequest, Progress

if TYPE_CHECKING:
    import asyncio

Ended = Callable[[ExecutionOutcome | ExecutorLost], None]
"""Takes what became of a request: its outcome, or why there is none."""


def complete(
    outcome: asyncio.Future[ExecutionOutcome], answer: ExecutionOutcome | ExecutorLost
) -> None:
    """Tell who waits for a request's outcome what became of it, unless nobody does any more."""
    if outcome.done():
        return
    if isinstance(answer, ExecutorLost):
        outcome.set_exception(answer)
    else:
        outcome.set_result(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportContext:
    """What the kernel gives a transport: who it works for, and whom to tell.

    Attributes:
        executor_name: NAME in `[rrq.executors.NAME]`.
        worker_id: the worker's id.
        capacity_changed: to be called when `capacity` changed otherwise than by an
            `execute` that began or ended.
        progress: to be called with what a running handler reports about its job.
    """

    executor_name: str
    worker_id: str
    capacity_changed: Callable[[], None] = lambda: None
    progress: Callable[[Progress], None] = lambda progress: None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportStatus:
    """What `rrq check`, the health key and `rrq plugins show` tell about an executor.

    Attributes:
        processes: how many processes (or connections) are up.
        in_flight: requests that are running.
        capacity: requests that it takes at once.
        restarts: how many processes were replaced since the start.
        last_error: why the last one was replaced.
        functions: what it can run, if it said so.
        runtime: what it runs on, if it said so, as in `python 3.12.1`.
    """

    processes: int
    in_flight: int
    capacity: int
    restarts: int = 0
    last_error: str | None = None
    functions: tuple[str, ...] | None = None
    runtime: str | None = None
    details: dict[str, str] = field(default_factory=dict)


class Transport(ABC):
    """Carries requests to the executors of one configured name, and outcomes back.

    All methods are called in one event loop.
    """

    config_model: ClassVar[type[BaseModel]]
    """The keys of the executor's table beyond `type`."""

    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        self.context = context

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # One that carries requests in another way must not be passed by.
        if "execute" in cls.__dict__ and "submit" not in cls.__dict__:
            cls.submit = Transport.submit  # type: ignore[method-assign]

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many requests it can hold at once now; less while processes are down or while
        requests that were cancelled have not stopped yet."""

    @abstractmethod
    async def start(self) -> None:
        """Bring the executors up.

        Raises:
            ExecutorStartError: they do not come up; the message has what the process printed.
        """

    @abstractmethod
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        """Carry one request; never called beyond `capacity`.

        Being cancelled means that the caller no longer wants it: the call ends at once, and
        the transport sees to it that the handler stops, or its process dies, and counts the
        request against `capacity` until then.

        A request with `context.alone` should have a process (or connection) for itself, so that
        its job pays for no other one's crash, and `capacity` falls accordingly. A transport may
        refuse it for a while (`ExecutorLost` without penalty), or ignore the field.

        Raises:
            ExecutorLost: the executor went away before it answered.
        """

    def submit(self, request: ExecutionRequest, ended: Ended) -> Callable[[], None] | None:
        """Carry one request as `execute` does, without a task that waits for its outcome: to make
        one costs as much as all the rest of a short job.

        Args:
            ended: to be called once, not before this method has returned.

        Returns:
            What abandons the request as the cancellation of `execute` does; after it was called,
            `ended` is not. None if nothing was done, whenever that is simpler: then the kernel
            calls `execute`.
        """
        return None

    def extra_seconds(self, job_id: str) -> float:
        """How much longer than its own timeout this running request may take, because its
        process is still starting. Asked only when the timeout is over."""
        return 0.0

    @abstractmethod
    async def stop(self, grace_seconds: float) -> None:
        """Let running requests finish within the grace, then end everything that it started.

        Requests that are cut off raise `ExecutorLost` without penalty.
        """

    @abstractmethod
    def describe(self) -> TransportStatus:
        """How it is doing."""
