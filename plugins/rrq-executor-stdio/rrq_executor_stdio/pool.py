"""`ProcessPool`: an executor's processes together: which one takes the next request, how much
they take at once, and that all of them come up and end together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rrq.exc import ExecutorLost, ExecutorStartError
from rrq_executor_stdio.config import PoolConfig
from rrq_executor_stdio.flight import Listener
from rrq_executor_stdio.launch import Launch
from rrq_executor_stdio.place import Place, Roster
from rrq_executor_stdio.process import ExecutorProcess

_EXIT_SECONDS = (0.5, 2.0)
"""The least and the most that processes may take to exit after their stdin was closed."""

_TERM_SECONDS = 1.0
"""How long they may take to exit after SIGTERM."""


class ProcessPool:
    """The processes of one executor.

    Attributes:
        roster: the processes, and what became of earlier ones.
        capacity: requests that they take at once; 0 before `start` and after `stop`.
    """

    def __init__(
        self, launch: Launch, config: PoolConfig, listener: Listener, *, expects_hello: bool
    ) -> None:
        self._name = f"executor {launch.executor_name!r}"
        self._listener = listener
        self.roster = Roster()
        self.capacity = 0
        inner = Listener(
            room=self._wake,
            capacity_changed=self._capacity_changed,
            progress=listener.progress,
        )
        self._places = [
            Place(launch, config, inner, self.roster, expects_hello=expects_hello)
            for _ in range(config.pool_size)
        ]
        self._tenders: list[asyncio.Task[None]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._grace_seconds = float("inf")
        self._grace_ends_at = float("inf")
        self._end: asyncio.Task[None] | None = None

    # Requests

    def pick(self, job_id: str) -> ExecutorProcess | None:
        """The process with the most room, the one that was picked longest ago among equals.

        Never one that has a request of the same id: their outcomes could not be told apart.
        """
        processes = self.roster.processes
        best = None
        most = 0
        for process in processes:
            room = process.slots - len(process.in_flight)
            if room > most and job_id not in process.in_flight:
                best, most = process, room
        if best is not None and len(processes) > 1:
            processes.remove(best)
            processes.append(best)
        return best

    def find(self, job_id: str) -> ExecutorProcess | None:
        """The process that has this request."""
        return next((p for p in self.roster.processes if job_id in p.in_flight), None)

    async def wait_for_room(self) -> None:
        """Return when `pick` may find a process.

        Raises:
            ExecutorLost: as `refuse_if_stopping`.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter
        self.refuse_if_stopping()

    def refuse_if_stopping(self) -> None:
        """Refuse a request once `stop` was called.

        Raises:
            ExecutorLost: without penalty.
        """
        if self.roster.stopping.is_set():
            raise ExecutorLost(f"{self._name} is stopping", penalty=False)

    def recount(self) -> bool:
        """Bring `capacity` up to date; whether it changed."""
        before = self.capacity
        is_stopping = self.roster.stopping.is_set()
        self.capacity = 0 if is_stopping else sum(p.capacity for p in self.roster.processes)
        return self.capacity != before

    def _capacity_changed(self) -> None:
        if self.recount():
            self._listener.capacity_changed()
            self._wake()

    def _wake(self) -> None:
        if self._waiters:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    # Up and down

    async def start(self) -> None:
        """Bring all processes up.

        Raises:
            ExecutorStartError: one did not come up, or `stop` was called; none is left.
        """
        loop = asyncio.get_running_loop()
        ups: list[asyncio.Future[None]] = []
        for place in self._places:
            up: asyncio.Future[None] = loop.create_future()
            ups.append(up)
            self._tenders.append(loop.create_task(place.tend(up)))
        try:
            await asyncio.gather(*ups)
            if self.roster.stopping.is_set():
                raise ExecutorStartError(f"{self._name} was stopped while it started")
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, grace_seconds: float) -> None:
        """Let requests finish within the grace, then end all processes.

        A second call may shorten the grace; both return when nothing is left.
        """
        loop = asyncio.get_running_loop()
        self._grace_seconds = min(self._grace_seconds, grace_seconds)
        self._grace_ends_at = min(self._grace_ends_at, loop.time() + grace_seconds)
        self.roster.stopping.set()
        self.recount()
        self._wake()
        if self._end is None:
            self._end = loop.create_task(self._end_all())
        try:
            await asyncio.shield(self._end)
        except asyncio.CancelledError:
            self._grace_ends_at = loop.time()
            _kill(self.roster.processes)
            self._wake()
            raise

    async def _end_all(self) -> None:
        await self._wait_for_running_requests()
        least, most = _EXIT_SECONDS
        for end, patience_seconds in (
            (ExecutorProcess.dismiss, max(least, min(self._grace_seconds, most))),
            (ExecutorProcess.terminate, _TERM_SECONDS),
        ):
            for process in self.roster.processes:
                end(process)
            if self._tenders:
                await asyncio.wait(self._tenders, timeout=patience_seconds)
        _kill(self.roster.processes)
        await asyncio.gather(*self._tenders)

    async def _wait_for_running_requests(self) -> None:
        loop = asyncio.get_running_loop()
        while any(f.is_wanted for p in self.roster.processes for f in p.in_flight.values()):
            left_seconds = self._grace_ends_at - loop.time()
            if left_seconds <= 0:
                return
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            await asyncio.wait((waiter,), timeout=left_seconds)


def _kill(processes: Iterable[ExecutorProcess]) -> None:
    for process in processes:
        process.kill("was stopped", guilt={})
