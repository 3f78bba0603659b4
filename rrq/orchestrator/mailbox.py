"""`Mailbox`: what this worker must hear at once, on a connection of its own.

A message can be lost with the connection; nothing depends on it alone. A lost wake-up is made up
for by the fallback look at the queues, a lost cancellation by the next renewal of the lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rrq.orchestrator.redis_link import RedisLink
from rrq.store.workers import MailReader

WAIT_SECONDS = 3.0

EXECUTORS_FIRST_SECONDS = 0.001
"""A worker that had no jobs and gets some does nothing else for so long once their requests are
written: an operating system likes to start whoever reads a pipe on the processor of the one that
wrote, as soon as that one rests."""

SHORT_WAIT_SECONDS = 0.05


class Mailbox:
    """Reads messages and passes them on."""

    def __init__(
        self,
        *,
        mail: MailReader,
        link: RedisLink,
        wake: Callable[[], None],
        cancel: Callable[[str, int | None], None],
    ) -> None:
        self._mail = mail
        self._link = link
        self._wake = wake
        self._cancel = cancel

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                messages = await self._link.persist(lambda: self._mail.read(self._wait_seconds))
                # The claim that was sent behind this reading may have brought jobs: they start in
                # this turn of the loop, and their requests are written in the next one.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                for message in messages:
                    self._read(message)
                if messages:
                    await asyncio.sleep(EXECUTORS_FIRST_SECONDS)
        finally:
            await self._mail.aclose()

    @property
    def _wait_seconds(self) -> float:
        """A short time while Redis is away, so that its return is soon known."""
        return WAIT_SECONDS if self._link.down_since is None else SHORT_WAIT_SECONDS

    def _read(self, message: str) -> None:
        what, _, rest = message.partition(" ")
        if what == "wake":
            self._wake()
        elif what == "cancel":
            token, _, job_id = rest.partition(" ")
            self._cancel(job_id, int(token) if token.isdigit() else None)
