"""`ActiveJobs`: what runs at this moment, and where, from the lease set.

Nothing is written for it: a claim puts the worker's id into the job, and the worker's health
tells which of its executors has the jobs of a queue.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rrq.job import JobStatus
from rrq.store.asking import hash_values, redis_now_ms
from rrq.store.jobs import time_from_ms
from rrq.store.lenient import later, number_of, progress_of, text_of, time_of
from rrq.store.replies import text
from rrq.store.serving import Serving, serving_from_health

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.settings import RRQSettings
    from rrq.store.keys import Keys

FIELDS = (
    "status",
    "function_name",
    "queue_name",
    "worker_id",
    "start_time",
    "current_retries",
    "max_retries",
    "job_timeout_seconds",
    "progress",
    "cancel_requested",
)
READ_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveJob:
    """A job that runs. What is not set, or cannot be read, is None; times are by Redis' clock.

    Attributes:
        queue: its bare name.
        executor: None if its worker does not tell, or has no heartbeat any more.
        attempt: from 1.
        max_attempts: how many it may have in all.
        deadline_at: when its time is over, unless its process is still starting.
        lease_until: when another worker may take it, unless the lease is renewed.
        progress: what its handler reported: `current`, `total`, `message`.
        cancel_requested_at: when somebody asked to cancel it.
    """

    job_id: str
    lease_until: datetime
    function_name: str | None = None
    queue: str | None = None
    worker_id: str | None = None
    executor: str | None = None
    started_at: datetime | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    deadline_at: datetime | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    cancel_requested_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePage:
    """What was found.

    Attributes:
        jobs: those that fit, the longest running first.
        fitting: how many fit; `jobs` may have fewer.
        seen: how many leases were looked at.
        total: how many there are.
        now: Redis' clock.
    """

    jobs: list[ActiveJob]
    fitting: int
    seen: int
    total: int
    now: datetime


class ActiveJobs:
    """Running jobs, looked at some at a time. Changes nothing."""

    def __init__(self, redis: Redis, keys: Keys, settings: RRQSettings) -> None:
        self._redis = redis
        self._keys = keys
        self._timeout_seconds = settings.default_job_timeout_seconds
        self._max_retries = settings.default_max_retries

    async def count(self) -> int:
        """How many jobs run."""
        return int(await self._redis.zcard(self._keys.leases))

    async def page(
        self,
        *,
        queue: str | None = None,
        worker_id: str | None = None,
        limit: int,
        max_scan: int = 1000,
    ) -> ActivePage:
        """The jobs that run, the longest running first.

        Args:
            queue: only those of this one, bare or full.
            worker_id: only those of this worker.
            limit: how many at most.
            max_scan: how many leases are looked at, those that run out first; 0 for all.
        """
        wanted = None if queue is None else self._keys.bare_queue(queue)
        total = await self.count()
        now_ms = await redis_now_ms(self._redis)
        fitting: list[ActiveJob] = []
        seen = 0
        async with aclosing(self._leases(max_scan)) as stretches:
            async for leases in stretches:
                seen += len(leases)
                fitting += [
                    job
                    for job in await self._read(leases)
                    if wanted in (None, job.queue) and worker_id in (None, job.worker_id)
                ]
        fitting.sort(key=lambda job: (job.started_at is None, job.started_at, job.job_id))
        return ActivePage(
            jobs=await self._with_executors(fitting[:limit]),
            fitting=len(fitting),
            seen=seen,
            total=max(total, seen),
            now=time_from_ms(now_ms),
        )

    async def _leases(self, max_scan: int) -> AsyncGenerator[list[tuple[bytes, float]], None]:
        """Ids and expiries, those that run out first.

        One that is renewed meanwhile goes to the end, and is not given twice.
        """
        seen: set[bytes] = set()
        reached, at_reached = "-inf", 0
        while not max_scan or len(seen) < max_scan:
            count = READ_AT_ONCE if not max_scan else min(READ_AT_ONCE, max_scan - len(seen))
            leases: Any = await self._redis.zrangebyscore(
                self._keys.leases, reached, "+inf", start=at_reached, num=count, withscores=True
            )
            if new := [lease for lease in leases if lease[0] not in seen]:
                yield new
            seen.update(job_id for job_id, _ in new)
            if len(leases) < count:
                return
            # All leases of one claim run out in the same moment: go on among those.
            last = leases[-1][1]
            same = sum(expiry == last for _, expiry in leases)
            at_reached = same + (at_reached if repr(last) == reached else 0)
            reached = repr(last)

    async def _read(self, leases: Sequence[tuple[bytes, float]]) -> list[ActiveJob]:
        keys = [self._keys.job(text(job_id)) for job_id, _ in leases]
        answers = await hash_values(self._redis, keys, FIELDS)
        jobs = []
        for (job_id, expiry_ms), values in zip(leases, answers, strict=True):
            known = dict(zip(FIELDS, values, strict=True)) if values else {}
            # It may have ended since its lease was read.
            if known.get("status") in (None, JobStatus.ACTIVE.encode()):
                jobs.append(self._job(text(job_id), expiry_ms, known))
        return jobs

    def _job(self, job_id: str, expiry_ms: float, known: Mapping[str, bytes | None]) -> ActiveJob:
        started_at = time_of(known.get("start_time"))
        timeout_seconds = number_of(known.get("job_timeout_seconds")) or self._timeout_seconds
        retries = number_of(known.get("current_retries"))
        max_retries = number_of(known.get("max_retries"))
        queue = text_of(known.get("queue_name"))
        return ActiveJob(
            job_id=job_id,
            lease_until=time_from_ms(expiry_ms),
            function_name=text_of(known.get("function_name")),
            queue=None if queue is None else self._keys.bare_queue(queue),
            worker_id=text_of(known.get("worker_id")),
            started_at=started_at,
            attempt=int(retries) + 1 if retries is not None else 1 if known else None,
            max_attempts=int(max_retries or self._max_retries) if known else None,
            deadline_at=later(started_at, timeout_seconds),
            progress=progress_of(known.get("progress")),
            cancel_requested_at=time_of(known.get("cancel_requested")),
        )

    async def _with_executors(self, jobs: Sequence[ActiveJob]) -> list[ActiveJob]:
        workers = await self.workers({job.worker_id for job in jobs if job.worker_id})
        return [
            replace(job, executor=worker.executor_of(job.function_name or "", job.queue or ""))
            if (worker := workers.get(job.worker_id or ""))
            else job
            for job in jobs
        ]

    async def workers(self, worker_ids: Iterable[str]) -> dict[str, Serving]:
        """What these workers tell of themselves; those without a heartbeat are left out."""
        wanted = sorted(worker_ids)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for worker_id in wanted:
                pipeline.get(self._keys.health(worker_id))
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return {
            worker_id: serving_from_health(worker_id, health)
            for worker_id, health in zip(wanted, answers, strict=True)
            if isinstance(health, bytes)
        }
