"""`ProcessPool`: an executor's processes together: which one takes the next request, how much
they take at once, and that all of them come up and end together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rrq.exc import ExecutorLost, ExecutorStartError
from rrq.protocol import ExecutionRequest
from rrq_executor_stdio.config import PoolConfig
from rrq_executor_stdio.flight import Listener
from rrq_executor_stdio.launch import Launch
from rrq_executor_stdio.place import Place, Roster
from rrq_executor_stdio.process import ExecutorProcess
from rrq_executor_stdio.seclusion import Seclusion

_EXIT_SECONDS = (0.5, 2.0)
"""The least and the most that processes may take to exit after their stdin was closed."""

_MOST_SECLUDED = 10
_TURN_SECONDS = 1.0
"""How long a request that is to run alone waits for one that does, before it is refused."""

_TERM_SECONDS = 1.0
"""How long they may take to exit after SIGTERM."""


class ProcessPool:
    """The processes of one executor.

    Attributes:
        roster: the processes, and what became of earlier ones.
        capacity: requests that they take at once; 0 before `start` and after `stop`.
        secluded: by job id, the request that runs alone, and those that wait for it in turn.
    """

    def __init__(
        self, launch: Launch, config: PoolConfig, listener: Listener, *, expects_hello: bool
    ) -> None:
        self._name = f"executor {launch.executor_name!r}"
        self._listener = listener
        self.roster = Roster()
        self.capacity = 0
        self.secluded: dict[str, Seclusion] = {}
        inner = Listener(
            room=self._room_appeared,
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
            if room > most and not process.is_kept and job_id not in process.in_flight:
                best, most = process, room
        if best is not None and len(processes) > 1:
            processes.remove(best)
            processes.append(best)
        return best

    async def seclude(self, request: ExecutionRequest) -> ExecutorProcess:
        """A process that has no other request, nor gets one until it has ended this one, which is
        to be sent at once. One request at a time: the other processes go on.

        Raises:
            ExecutorLost: without penalty, if others are at it for long, if no process is up, or if
                `stop` was called.
        """
        process = self.pick(request.job_id)
        if process is not None and process.is_single:
            return process
        if len(self.secluded) == _MOST_SECLUDED or request.job_id in self.secluded:
            raise self._busy()
        own = self.secluded[request.job_id] = Seclusion(request)
        try:
            await self._wait_for_turn(own)
            while (process := own.keep(self.roster.processes)) and process.in_flight:
                self._capacity_changed()
                await self.wait_for_room()
            if process is None:
                raise ExecutorLost(f"{self._name} has no process that is up", penalty=False)
        except BaseException:
            self._end_seclusion(own)
            raise
        self._capacity_changed()
        own.begin(asyncio.get_running_loop().time())
        return process

    def refuse_if_secluded(self) -> None:
        """Refuse a request that there is no room for because another one runs alone.

        Raises:
            ExecutorLost: without penalty.
        """
        others = (p for p in self.roster.processes if not p.is_kept)
        if self.secluded and all(len(p.in_flight) >= p.slots for p in others):
            raise self._busy()

    def _busy(self) -> ExecutorLost:
        return ExecutorLost(f"{self._name} runs another job alone", penalty=False)

    async def _wait_for_turn(self, own: Seclusion) -> None:
        """Return when this one comes first; refuse it if those before it do not get on."""
        loop = asyncio.get_running_loop()
        while (first := self._first_secluded()) is not own:
            self._capacity_changed()
            until = loop.time() + _TURN_SECONDS
            while self._first_secluded() is first:
                try:
                    async with asyncio.timeout_at(until):
                        await self.wait_for_room()
                except TimeoutError:
                    raise self._busy() from None

    def _first_secluded(self) -> Seclusion | None:
        return next(iter(self.secluded.values()), None)

    def _end_seclusion(self, seclusion: Seclusion) -> None:
        was_first = self._first_secluded() is seclusion
        seclusion.let_go()
        del self.secluded[seclusion.job_id]
        if was_first and (following := self._first_secluded()):
            # Before anybody else hears that there is room.
            following.keep(self.roster.processes)
        self._capacity_changed()
        self._wake()

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
        if self.secluded and not is_stopping:
            self.capacity += sum(one.is_waiting for one in self.secluded.values())
        return self.capacity != before

    def _capacity_changed(self) -> None:
        if self.recount():
            self._listener.capacity_changed()
            self._wake()

    def _room_appeared(self) -> None:
        # After every request: no call more than there must be.
        if self.secluded:
            first = next(iter(self.secluded.values()))
            if first.is_over:
                self._end_seclusion(first)
            else:
                self._capacity_changed()
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
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
