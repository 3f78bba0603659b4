"""`CronSlots`: which slot of each cron job was taken last, and taking the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from rrq.store.jobs import described, time_from_ms
from rrq.store.replies import text

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.settings import RRQSettings
    from rrq.store.jobs import NewJob
    from rrq.store.keys import Keys
    from rrq.store.scripts import Steps

TickAnswer = Literal["queued", "duplicate", "registered", "taken", "missed"]


@dataclass(frozen=True, slots=True)
class Tick:
    """What became of a slot; `job_id` of the job queued, or of the holder of its unique key."""

    answer: TickAnswer
    job_id: str | None = None


class CronSlots:
    """Cron jobs in Redis, by name."""

    def __init__(self, redis: Redis, steps: Steps, keys: Keys, settings: RRQSettings) -> None:
        self._redis = redis
        self._steps = steps
        self._keys = keys
        self._default_dlq = keys.bare_dlq(settings.default_dlq_name)

    async def tick(
        self,
        name: str,
        definition: str,
        slot: datetime,
        new: NewJob,
        *,
        grace_seconds: float,
        misfire: Literal["skip", "run"],
    ) -> Tick:
        """Enqueue the job of this slot, unless the slot was already taken."""
        answer = await self._steps.call(
            "cron",
            self._default_dlq,
            name,
            definition,
            round(slot.timestamp() * 1000),
            round(grace_seconds * 1000),
            misfire,
            *described(new),
        )
        kind, *job_id = (text(part) for part in answer)
        return Tick(kind, job_id[0] if job_id else None)  # type: ignore[arg-type]  # cron.lua's

    async def last_slot(self, name: str) -> datetime | None:
        """The last slot that was taken or skipped; None if the job was never seen, or if what
        stands there is nothing that the step wrote."""
        stored = await self._redis.get(self._keys.cron(name))
        slot_ms = text(stored or "").partition(" ")[0]
        return time_from_ms(slot_ms) if slot_ms.isdecimal() else None
