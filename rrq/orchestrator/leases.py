"""`LeaseKeeper`: renews the leases of this worker, and reaps those of workers that are gone."""

from __future__ import annotations

import asyncio
import logging
import random
import time

import msgspec

from rrq.orchestrator.dispatch import Dispatch
from rrq.orchestrator.holdings import Holdings
from rrq.orchestrator.redis_link import RedisLink
from rrq.store.leases import Leases, Reaped

TICK_SECONDS = 1.0
RENEWALS_A_LEASE = 4
BATCH = 500

logger = logging.getLogger("rrq.worker")


class LeaseKeeper:
    """One loop for both, so that a worker that was away renews its own leases before it takes
    any for expired."""

    def __init__(
        self,
        *,
        leases: Leases,
        lease_seconds: float,
        link: RedisLink,
        holdings: Holdings,
        dispatch: Dispatch,
    ) -> None:
        self._leases = leases
        self._renew_every_seconds = lease_seconds / RENEWALS_A_LEASE
        self._tick_seconds = min(TICK_SECONDS, self._renew_every_seconds)
        self._link = link
        self._holdings = holdings
        self._dispatch = dispatch
        self._renewed_at = self._began_at = time.monotonic()
        self.lost_leases = 0
        self.reaped_jobs = 0

    async def run(self) -> None:
        """Renew, reap and write progress until cancelled."""
        self._began_at = time.monotonic()
        while True:
            await asyncio.sleep(self._tick_seconds * random.uniform(0.9, 1.0))
            if time.monotonic() - self._renewed_at >= self._renew_every_seconds * 0.9:
                await self._link.persist(self._renew)
            await self._link.persist(self._write_progress)
            if self._others_had_time_to_renew():
                await self._link.persist(self._reap)

    async def _renew(self) -> None:
        held = [(job_id, held.claim.token) for job_id, held in self._holdings.by_id.items()]
        for start in range(0, len(held), BATCH):
            part = held[start : start + BATCH]
            tokens = dict(part)
            for job_id, what in await self._leases.renew(part):
                self._tell(job_id, tokens[job_id], what == "lost")
        self._renewed_at = time.monotonic()

    def _tell(self, job_id: str, token: int, is_lost: bool) -> None:
        held = self._holdings.by_id.get(job_id)
        # It may have been settled, or leased anew, while the answer was on its way.
        if held is None or held.claim.token != token:
            return
        if is_lost:
            self.lost_leases += self._dispatch.lease_lost(job_id)
        else:
            self._dispatch.cancel(job_id, token)

    def _others_had_time_to_renew(self) -> bool:
        """When Redis was away for longer than a lease, all leases have run out, though their
        owners live: give them the time for one renewal. A worker that begins now cannot know
        whether Redis came back a moment ago."""
        if self._link.down_since is not None:
            return False
        known_since = max(self._began_at, self._link.restored_at)
        return time.monotonic() - known_since >= self._renew_every_seconds

    async def _reap(self) -> None:
        if not await self._leases.any_held():
            return
        while reaped := await self._leases.reap(BATCH):
            for lease in reaped:
                self._log(lease)
            if len(reaped) < BATCH:
                return

    def _log(self, lease: Reaped) -> None:
        if lease.became == "gone":
            return
        self.reaped_jobs += 1
        fates = {
            "queued": "it runs again",
            "dead": "it was lost too often and is in the dead letter queue",
            "cancelled": "it had been asked to stop and is cancelled",
        }
        logger.warning(
            "Job %s was lost with worker %s: %s", lease.job_id, lease.worker_id, fates[lease.became]
        )

    async def _write_progress(self) -> None:
        await self._leases.report_progress(
            (held.claim.job_id, held.claim.token, msgspec.json.encode(progress))
            for held, progress in self._holdings.take_progress()
        )
