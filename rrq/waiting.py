"""`EndWatch`: one connection through which a client hears of the ends of all jobs it waits for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from uuid import uuid4

from redis.exceptions import RedisError

from rrq.exc import JobNotFound

if TYPE_CHECKING:
    from rrq.job import JobStatus
    from rrq.store.store import JobStore

MAILBOX_WAIT_SECONDS = 3.0
ASK_AGAIN_SECONDS = 20.0
"""Redis forgets a wish after a minute, and a message can be lost with its connection."""


class EndWatch:
    """Waits for jobs to reach a terminal status."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._mailbox_name = f"client:{uuid4().hex}"
        self._mail = store.workers.mailbox(self._mailbox_name)
        self._ended: dict[str, list[asyncio.Event]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def wait(self, job_id: str) -> JobStatus:
        """The job's terminal status, as soon as it has one.

        Raises:
            JobNotFound: there is no such job, or it expired meanwhile.
        """
        ended = asyncio.Event()
        self._ended.setdefault(job_id, []).append(ended)
        try:
            while True:
                status = await self._store.jobs.await_end(job_id, self._mailbox_name)
                if status is None:
                    raise JobNotFound(f"There is no job {job_id}: check the id, or it has expired")
                if status.is_terminal:
                    return status
                self._ensure_reader()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ASK_AGAIN_SECONDS):
                        await ended.wait()
                ended.clear()
        finally:
            waiting = self._ended[job_id]
            waiting.remove(ended)
            if not waiting:
                del self._ended[job_id]

    async def aclose(self) -> None:
        """Stop listening."""
        if self._reader:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        await self._mail.aclose()

    def _ensure_reader(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self._ended:
            try:
                messages = await self._mail.read(MAILBOX_WAIT_SECONDS)
            except (RedisError, OSError):
                await asyncio.sleep(0.2)
                continue
            for message in messages:
                for ended in self._ended.get(message.removeprefix("done "), ()):
                    ended.set()
