"""`TransportSubject`: a transport under test, with the means to drive and to observe it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec import UNSET, Raw

from rrq.exc import ExecutorLost
from rrq.protocol import ExecutionContext, ExecutionOutcome, ExecutionRequest, Progress
from rrq.transport import Transport, TransportContext, complete

SOON_SECONDS = 15.0
"""The most that anything may take that should happen at once, on a busy machine."""


USUAL_CONTEXT: dict[str, Any] = {
    "attempt": 1,
    "enqueue_time": "2026-01-01T12:00:00Z",
    "queue_name": "rrq:queue:default",
    "worker_id": "rrq_worker_contract",
    "lease_token": 1,
}


class TransportSubject:
    """A transport under test, and what it told the kernel.

    Args:
        soon_seconds: how long to wait for what should happen at once.

    Attributes:
        transport: the transport.
        reports: the progress that it passed on.
        answers: what it told of each request that it took by `submit`, since that was abandoned if
            it was.
        capacity_changes: how often it said that its capacity changed.
    """

    def __init__(
        self,
        make_transport: Callable[[TransportContext], Transport],
        soon_seconds: float = SOON_SECONDS,
    ) -> None:
        self._soon_seconds = soon_seconds
        self.reports: list[Progress] = []
        self.answers: list[list[ExecutionOutcome | ExecutorLost]] = []
        self.capacity_changes = 0
        self.transport = make_transport(
            TransportContext(
                executor_name="contract",
                worker_id="rrq_worker_contract",
                capacity_changed=self._capacity_changed,
                progress=self.reports.append,
            )
        )

    def _capacity_changed(self) -> None:
        self.capacity_changes += 1

    async def call(
        self,
        function_name: str,
        *positional: Any,
        job_id: str | None = None,
        args: str | None = None,
        kwargs: str = "{}",
        alone: bool = False,
        **context: Any,
    ) -> ExecutionOutcome:
        """Have one request carried, as the kernel has it.

        Args:
            args, kwargs: JSON text, for those who care.
            context: what is peculiar to the request's context.
        """
        job_id = job_id or str(uuid4())
        outcome = await self._carried(
            ExecutionRequest(
                job_id=job_id,
                function_name=function_name,
                args=Raw((json.dumps(positional) if args is None else args).encode()),
                kwargs=Raw(kwargs.encode()),
                context=ExecutionContext(
                    job_id=job_id, alone=alone or UNSET, **{**USUAL_CONTEXT, **context}
                ),
            )
        )
        assert outcome.job_id == job_id
        return outcome

    async def _carried(self, request: ExecutionRequest) -> ExecutionOutcome:
        answered: asyncio.Future[ExecutionOutcome] = asyncio.get_running_loop().create_future()
        told: list[ExecutionOutcome | ExecutorLost] = []
        self.answers.append(told)

        def ended(answer: ExecutionOutcome | ExecutorLost) -> None:
            told.append(answer)
            complete(answered, answer)

        abandon = self.transport.submit(request, ended)
        assert not told, "what became of a request was told before `submit` had returned"
        if abandon is None:
            return await self.transport.execute(request)
        try:
            return await answered
        except asyncio.CancelledError:
            abandon()
            told.clear()
            raise

    async def begin(
        self,
        function_name: str,
        folder: Path,
        name: str,
        job_id: str | None = None,
        alone: bool = False,
    ) -> asyncio.Task[ExecutionOutcome]:
        """A request to `hold` or `cling` that its handler has begun."""
        call = self.call(function_name, str(folder), name, job_id=job_id, alone=alone)
        task = asyncio.create_task(call)
        await self.eventually(lambda: task.done() or _has_begun(folder, name))
        assert not task.done(), f"{function_name} did not hold: {task}"
        return task

    async def eventually(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds.

        Raises:
            AssertionError: it does not come to hold.
        """
        deadline = time.monotonic() + self._soon_seconds
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not happen"
            await asyncio.sleep(0.005)


async def cancel(task: asyncio.Task[ExecutionOutcome]) -> None:
    """Cancel a request and see that its call ends."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def release(folder: Path, name: str) -> None:
    """Let a held request finish."""
    (folder / f"{name}.release").touch()


def process_of(folder: Path, name: str) -> int:
    """The id of the process in which a request was begun."""
    return int((folder / f"{name}.began").read_text())


def has_stopped(folder: Path, name: str) -> bool:
    """Whether a begun request was stopped, by itself or with its process."""
    return (folder / f"{name}.stopped").exists() or not is_alive(process_of(folder, name))


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _has_begun(folder: Path, name: str) -> bool:
    path = folder / f"{name}.began"
    return path.exists() and path.stat().st_size > 0
