"""`CronTicker`: enqueues cron jobs when their slots come, once each over all workers.

Every worker ticks; the step in Redis lets the first one through. Slots go by Redis' clock.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from rrq.cron import CronEntry
from rrq.job_request import new_job
from rrq.orchestrator.redis_link import RedisLink
from rrq.store.cron import Tick

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.store.store import JobStore

GRACE_SECONDS = 60.0
"""A slot that nobody took for this long, as in a deploy, is not missed yet."""

LONGEST_SLEEP_SECONDS = 5.0
"""Redis' clock may be set: look at it at least this often."""

logger = logging.getLogger("rrq.worker")


class CronTicker:
    """Ticks the configured cron jobs.

    Attributes:
        settled_slots: by name, the last slot that this or another worker has dealt with.
    """

    def __init__(
        self,
        *,
        entries: list[CronEntry],
        store: JobStore,
        settings: RRQSettings,
        link: RedisLink,
    ) -> None:
        self._entries = entries
        self._store = store
        self._settings = settings
        self._link = link
        self.settled_slots: dict[str, datetime] = {}

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            now = await self._link.persist(self._store.now)
            for entry in self._entries:
                await self._look_at(entry, entry.schedule.last_until(now))
            next_slot = min(entry.schedule.next_after(now) for entry in self._entries)
            # Redis' clock may be a fraction behind this one's idea of how long that is.
            seconds = (next_slot - now).total_seconds() + 0.002
            await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))

    async def _look_at(self, entry: CronEntry, slot: datetime) -> None:
        if self.settled_slots.get(entry.name) == slot:
            return
        new = new_job(entry.request(), str(uuid4()), self._settings, self._store.keys)
        tick = await self._link.persist(
            lambda: self._store.cron.tick(
                entry.name,
                entry.definition,
                slot,
                new,
                grace_seconds=GRACE_SECONDS,
                misfire=entry.job.misfire,
            )
        )
        self.settled_slots[entry.name] = slot
        self._log(entry, slot, tick)

    def _log(self, entry: CronEntry, slot: datetime, tick: Tick) -> None:
        at = slot.isoformat(timespec="minutes")
        if tick.answer == "queued":
            logger.info("Cron job %s: enqueued job %s for %s", entry.name, tick.job_id, at)
        elif tick.answer == "duplicate":
            logger.info(
                "Cron job %s: nothing enqueued for %s, job %s still holds its unique key",
                entry.name,
                at,
                tick.job_id,
            )
        elif tick.answer == "missed":
            logger.warning("Cron job %s: the slot %s was missed and is skipped", entry.name, at)
