"""`Place`: one place in a pool, filled with a process and filled again when that one ends.

It has no part in carrying requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from rrq.exc import ExecutorStartError
from rrq.protocol import Hello
from rrq_executor_stdio.config import PoolConfig
from rrq_executor_stdio.flight import Listener
from rrq_executor_stdio.launch import Launch
from rrq_executor_stdio.process import ExecutorProcess

SILENCE_SECONDS = 0.5
"""How long a process that need not say hello is waited for, at first and after a bad start."""

STEADY_SECONDS = 10.0
"""A process that lived so long, or that answered anything, had a good start."""

_LAST_WORDS_CHARACTERS = 2000


def replacement_delay_seconds(bad_starts: int) -> float:
    """How long to wait before the next process, after so many bad starts in a row."""
    return min(5.0, 0.1 * 2.0 ** min(bad_starts - 1, 10)) if bad_starts else 0.0


@dataclass(slots=True, kw_only=True)
class Roster:
    """What the places of one pool share.

    Attributes:
        processes: those that are up, or on their way up or down.
        restarts: how many were replaced.
        last_error: why the last one was replaced.
        hello: what the last one that said hello said.
        is_known: whether a process came up before, so that its way is known.
        stopping: set when no more processes are wanted.
    """

    processes: list[ExecutorProcess] = field(default_factory=list)
    restarts: int = 0
    last_error: str | None = None
    hello: Hello | None = None
    is_known: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class Place:
    """Keeps one process up."""

    def __init__(
        self,
        launch: Launch,
        config: PoolConfig,
        listener: Listener,
        roster: Roster,
        *,
        expects_hello: bool,
    ) -> None:
        self._launch = launch
        self._config = config
        self._listener = listener
        self._roster = roster
        self._expects_hello = expects_hello
        self._logger = logging.getLogger(f"rrq.executor.{launch.executor_name}")
        self._bad_starts = 0

    async def tend(self, up: asyncio.Future[None]) -> None:
        """Keep the place filled until the pool stops; `up` learns how the first start went.

        If the first process does not come up, `up` has the `ExecutorStartError` and the place
        stays empty.
        """
        try:
            process: ExecutorProcess | None = await self._fill()
        except ExecutorStartError as error:
            if not up.done():
                up.set_exception(error)
            return
        if not up.done():
            up.set_result(None)
        while process is not None:
            await process.gone
            self._roster.processes.remove(process)
            self._roster.hello = process.hello or self._roster.hello
            self._bad_starts = 0 if _started_well(process) else self._bad_starts + 1
            process = await self._replace(process.death or "")

    async def _replace(self, death: str) -> ExecutorProcess | None:
        """The next process that comes up, or `None` when the pool stops."""
        while not self._roster.stopping.is_set():
            delay_seconds = replacement_delay_seconds(self._bad_starts)
            self._roster.restarts += 1
            self._roster.last_error = death
            self._logger.warning("%s; the next one starts in %.1f s", death, delay_seconds)
            await self._pause(delay_seconds)
            if self._roster.stopping.is_set():
                break
            try:
                return await self._fill()
            except ExecutorStartError as error:
                death = str(error)
                self._bad_starts += 1
        return None

    async def _pause(self, seconds: float) -> None:
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._roster.stopping.wait(), seconds)

    async def _fill(self) -> ExecutorProcess:
        """A process that is open for requests.

        Raises:
            ExecutorStartError: it cannot be run, or it ended first.
        """
        process = await self._launch.spawn(
            lambda: ExecutorProcess(self._launch.executor_name, self._config, self._listener)
        )
        self._roster.processes.append(process)
        if self._roster.stopping.is_set():
            process.kill("was stopped while it started", guilt={})
        await self._wait_for_hello(process)
        if process.gone.done():
            self._roster.processes.remove(process)
            raise ExecutorStartError(_epitaph(process))
        self._roster.hello = process.hello or self._roster.hello
        self._roster.is_known = True
        process.open()
        return process

    async def _wait_for_hello(self, process: ExecutorProcess) -> None:
        """Return when it said hello, when it is gone, or when it need not be waited for."""
        must_greet = self._expects_hello or self._roster.hello is not None
        if must_greet:
            patience_seconds = self._config.start_timeout_seconds
        elif self._roster.is_known and not self._bad_starts:
            patience_seconds = 0.0
        else:
            # Long enough to see most failing starts before a request is lost in one.
            patience_seconds = SILENCE_SECONDS
        await asyncio.wait(
            (process.introduced, process.gone),
            timeout=patience_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if must_greet and not process.introduced.done():
            process.kill(f"did not say hello within {patience_seconds:g} s")
            await process.gone


def _started_well(process: ExecutorProcess) -> bool:
    age_seconds = asyncio.get_running_loop().time() - process.spawned_at
    return process.has_answered or process.was_killed or age_seconds >= STEADY_SECONDS


def _epitaph(process: ExecutorProcess) -> str:
    last_words = "\n".join(process.last_lines).strip()
    if len(last_words) > _LAST_WORDS_CHARACTERS:
        last_words = f"…{last_words[-_LAST_WORDS_CHARACTERS:]}"
    return f"{process.death} while it started" + (f":\n{last_words}" if last_words else "")
