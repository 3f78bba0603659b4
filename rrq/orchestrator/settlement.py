"""`Settlement`: brings verdicts back to Redis, in batches that form by themselves.

While one settle call is under way, verdicts collect; when it returns, they go together.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from redis.exceptions import RedisError

from rrq.orchestrator.redis_link import RedisLink
from rrq.store.leases import Leases
from rrq.store.verdict import SettleAnswer, Verdict

MAX_BATCH_VERDICTS = 100
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_WAITING_VERDICTS = 2000
"""Beyond this, intake claims nothing more until Redis has caught up."""

logger = logging.getLogger("rrq.worker")

OnSettled = Callable[[Verdict, SettleAnswer | None], None]
"""Called once a verdict: with Redis' answer, or None if Redis would not take it at all."""


class Settlement:
    """The last stage. `put` is called by dispatch; `run` is a task of the worker."""

    def __init__(self, leases: Leases, link: RedisLink, on_settled: OnSettled) -> None:
        self._leases = leases
        self._link = link
        self._on_settled = on_settled
        self._waiting: deque[Verdict] = deque()
        self._arrived = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.last_settled_at = time.monotonic()

    def put(self, verdict: Verdict) -> None:
        """Hand in a verdict."""
        self._waiting.append(verdict)
        self._arrived.set()
        self._quiet.clear()

    @property
    def is_behind(self) -> bool:
        """Whether more verdicts wait than should."""
        return len(self._waiting) > MAX_WAITING_VERDICTS

    async def run(self) -> None:
        """Settle verdicts until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._settle(self._next_batch())
            self._quiet.set()

    async def flushed(self) -> None:
        """Return when every verdict that was handed in has been settled."""
        await self._quiet.wait()

    def _next_batch(self) -> list[Verdict]:
        batch: list[Verdict] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH_VERDICTS and size < MAX_BATCH_BYTES:
            verdict = self._waiting.popleft()
            batch.append(verdict)
            size += verdict.size_bytes
        return batch

    async def _settle(self, batch: list[Verdict]) -> None:
        try:
            answers = await self._link.persist(lambda: self._leases.settle(batch))
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            raise
        except RedisError as error:
            await self._settle_apart(batch, error)
            return
        self.last_settled_at = time.monotonic()
        for verdict, answer in zip(batch, answers, strict=True):
            self._on_settled(verdict, answer)

    async def _settle_apart(self, batch: list[Verdict], error: RedisError) -> None:
        """One verdict that Redis refuses must not hold up its neighbours."""
        if len(batch) > 1:
            for verdict in batch:
                await self._settle([verdict])
            return
        logger.error(
            "Job %s could not be settled, its lease will run out: %s", batch[0].job_id, error
        )
        self._on_settled(batch[0], None)
