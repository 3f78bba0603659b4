"""`JobStore`: one RRQ in one Redis, with a room for each kind of question."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from rrq.store.active import ActiveJobs
from rrq.store.asking import redis_now_ms
from rrq.store.connection import connect
from rrq.store.cron import CronSlots
from rrq.store.dlq import DeadLetters
from rrq.store.history import History
from rrq.store.jobs import Jobs, time_from_ms
from rrq.store.keys import Keys
from rrq.store.leases import Leases
from rrq.store.line import line_of
from rrq.store.listing import Listing
from rrq.store.queues import Queues
from rrq.store.replies import text
from rrq.store.scripts import Steps
from rrq.store.statistics import Statistics
from rrq.store.workers import Workers

if TYPE_CHECKING:
    from datetime import datetime

    from redis.asyncio import Redis

    from rrq.job import Job, JobStatus
    from rrq.settings import RRQSettings
    from rrq.store.evidence import Evidences


class JobStore:
    """All of RRQ's data in one Redis.

    Attributes:
        settings: what it was made from.
        redis: the client, shared by all rooms.
        jobs, queues, leases, workers, dead_letters, cron, statistics, history, listing,
            active, evidence: the rooms.
    """

    def __init__(self, settings: RRQSettings, *, redis: Redis | None = None) -> None:
        self.settings = settings
        self.redis = redis if redis is not None else connect(settings)
        self.keys = Keys(settings.key_prefix)
        self._line = line_of(self.redis)
        steps = self._steps = Steps(self.redis, settings.key_prefix, self._line)
        self.jobs = Jobs(self.redis, steps, self.keys, settings)
        self.leases = Leases(self.redis, steps, self.keys, settings)
        self.cron = CronSlots(self.redis, steps, self.keys, settings)
        self.queues = Queues(self.redis, steps, self.keys)
        self.workers = Workers(self.redis, self.keys)
        self.dead_letters = DeadLetters(self.redis, steps, self.keys, settings)
        self.statistics = Statistics(self.redis, self.keys)
        self.history = History(self.redis, self.keys)
        self.listing = Listing(self.redis, self.keys, self.queues, self.history)
        self.active = ActiveJobs(self.redis, self.keys, settings)

    @cached_property
    def evidence(self) -> Evidences:
        """Why jobs do not run; no producer and no worker loads what that takes."""
        from rrq.store.evidence import Evidences

        return Evidences(self._steps, self.keys, self.queues, self.settings)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._line:
            await self._line.aclose()
        await self.redis.aclose()

    async def forget_idle_connections(self) -> None:
        """Close those that nobody uses at the moment: each may be dead without a word."""
        if self._line:
            self._line.forget_if_idle()
        await self.redis.connection_pool.disconnect(inuse_connections=False)

    async def now(self) -> datetime:
        """Redis' clock, by which everything here is decided."""
        return time_from_ms(await redis_now_ms(self.redis))

    # -- the questions of RRQ 0.9, by the names that applications call ----------------------

    async def get_job_definition(self, job_id: str) -> Job | None:
        """The job, or None. Raises MalformedJob if its hash cannot be read."""
        return await self.jobs.get(job_id)

    async def get_job_data_dict(self, job_id: str) -> dict[str, str] | None:
        """The job's hash as text, or None."""
        return await self.jobs.get_fields(job_id) or None

    async def get_job_status(self, job_id: str) -> JobStatus | None:
        """The job's status, or None."""
        return await self.jobs.get_status(job_id)

    async def get_queued_job_ids(self, queue: str, start: int = 0, end: int = -1) -> list[str]:
        """Ids that wait in a queue, by due time."""
        return await self.queues.waiting_ids(queue, start, end)

    async def get_ready_job_ids(self, queue: str, count: int) -> list[str]:
        """The first `count` ids of a queue that are due."""
        return await self.queues.due_ids(queue, count)

    async def is_job_queued(self, queue: str, job_id: str) -> bool:
        """Whether a job waits in a queue."""
        return await self.queues.holds(queue, job_id)

    async def remove_job_from_queue(self, queue: str, job_id: str) -> bool:
        """Take an id out of a queue; whether it was there."""
        return await self.queues.remove(queue, job_id)

    async def batch_get_queue_sizes(self, names: list[str]) -> dict[str, int]:
        """How many jobs wait in each queue."""
        return await self.queues.sizes(names)

    async def get_unique_lock_holder(self, unique_key: str) -> str | None:
        """The id of the job that holds a unique key, or None."""
        holder = await self.redis.get(self.keys.unique(unique_key))
        return text(holder) if holder else None

    async def get_lock_ttl(self, unique_key: str) -> int:
        """Seconds until a unique key is free, rounded up; 0 if it is."""
        ttl_ms = await self.redis.pttl(self.keys.unique(unique_key))
        return -(-ttl_ms // 1000) if ttl_ms > 0 else 0

    async def get_worker_health(self, worker_id: str) -> tuple[dict[str, Any] | None, int | None]:
        """A worker's health and its remaining TTL in seconds; None for each if it is gone."""
        health, ttl_seconds = await self.workers.health(worker_id)
        return health, None if ttl_seconds is None else round(ttl_seconds)
