"""`Listing`: jobs in every state in one list, the newest first, without a look at all of them.

Jobs that ended come from the history, running ones from the lease set, waiting ones from their
queues. Of the waiting and running ones no more than `max_scan` are looked at.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from rrq.job import JobStatus
from rrq.store.asking import hash_values
from rrq.store.error_types import error_type_of
from rrq.store.lenient import count_of, text_of, time_of
from rrq.store.matching import has_text, is_function
from rrq.store.replies import text, texts
from rrq.wording import told_error

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.history import Ended, History
    from rrq.store.keys import Keys
    from rrq.store.queues import Queues

FIELDS = (
    "status",
    "function_name",
    "queue_name",
    "enqueue_time",
    "next_scheduled_run_time",
    "start_time",
    "completion_time",
    "current_retries",
    "last_error",
    "worker_id",
)
READ_AT_ONCE = 500
DEFAULT_MAX_SCAN = 1000


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job at a glance. What is not set, cannot be read or was not asked for, is None; `queue` is
    its bare name."""

    job_id: str
    status: str
    function_name: str | None
    queue: str | None
    enqueued_at: datetime | None
    due_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    retries: int | None
    error: str | None
    worker_id: str | None
    error_type: str | None = None

    @property
    def told_error(self) -> str | None:
        """The error with its type, if that is known."""
        return told_error(self.error, self.error_type)

    @property
    def changed_at(self) -> datetime | None:
        """When the last thing happened to it: its end, its start, or that it was enqueued."""
        return self.ended_at or self.started_at or self.enqueued_at

    @property
    def duration_seconds(self) -> float | None:
        """How long its last attempt took; None if it has not ended."""
        if self.ended_at is None or self.started_at is None:
            return None
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Choice:
    """Which jobs are meant: those that fit everything that is set.

    Attributes:
        statuses: any of these; all if there are none.
        queue: the bare name of its queue.
        function: its function, with or without the executor before the `#`.
        since, until: when the last thing happened to it.
        error: part of its error's text or type, in upper or lower case.
    """

    statuses: frozenset[JobStatus] = frozenset()
    queue: str | None = None
    function: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    error: str | None = None

    def wants(self, *statuses: JobStatus) -> bool:
        """Whether jobs of any of these states are meant."""
        return not self.statuses or not self.statuses.isdisjoint(statuses)

    def fits(self, job: ListedJob) -> bool:
        """Whether this one is meant."""
        if self.statuses and job.status not in self.statuses:
            return False
        if self.queue is not None and job.queue != self.queue:
            return False
        if self.function is not None and not is_function(job.function_name, self.function):
            return False
        if self.error and not has_text(job.told_error, self.error):
            return False
        changed_at = job.changed_at
        if changed_at is None:
            return self.since is None and self.until is None
        return (self.since is None or changed_at >= self.since) and (
            self.until is None or changed_at <= self.until
        )


@dataclass
class Looked:
    """How much was looked at: `seen` of the `total` jobs that wait or run; and of those that
    ended, whether the look was broken off before the last."""

    seen: int = 0
    total: int = 0
    left_off: bool = False

    @property
    def is_partial(self) -> bool:
        """Whether jobs that were not looked at may be meant as well."""
        return self.seen < self.total or self.left_off


@dataclass
class Listed:
    """One page of a list, and how much was looked at for it."""

    jobs: list[ListedJob]
    looked: Looked
    has_more: bool = False


@dataclass
class _Budget:
    """How many jobs may still be looked at; None for all."""

    left: int | None
    looked: Looked = field(default_factory=Looked)

    def take(self, wanted: int) -> int:
        return wanted if self.left is None else min(wanted, self.left)

    def spend(self, count: int) -> None:
        self.looked.seen += count
        if self.left is not None:
            self.left -= count


class Listing:
    """Jobs in every state."""

    def __init__(self, redis: Redis, keys: Keys, queues: Queues, history: History) -> None:
        self._redis = redis
        self._keys = keys
        self._queues = queues
        self._history = history

    async def page(
        self,
        choice: Choice,
        *,
        limit: int,
        offset: int = 0,
        queues: Iterable[str] = (),
        max_scan: int = DEFAULT_MAX_SCAN,
    ) -> Listed:
        """Jobs that fit, the newest first: `limit` of them after the first `offset`.

        Args:
            queues: bare names of queues to look into beside those that Redis knows.
            max_scan: the most waiting and running jobs, and the most ended ones for an error's
                text, to look at; 0 for all.
        """
        budget = _Budget(max_scan or None)
        wanted = offset + limit + 1
        found: list[ListedJob] = []
        if choice.wants(JobStatus.ACTIVE):
            found += await self._running(choice, wanted, budget)
        if choice.wants(JobStatus.PENDING, JobStatus.RETRYING):
            found += await self._waiting(choice, wanted, budget, queues)
        if choice.wants(JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED):
            found += await self._ended(choice, wanted, max_scan, budget.looked)
        found.sort(
            key=lambda job: job.changed_at.timestamp() if job.changed_at else 0, reverse=True
        )
        page = await self._typed(found[offset : offset + limit])
        return Listed(page, budget.looked, has_more=len(found) > offset + limit)

    async def jobs(self, ids: Iterable[str]) -> dict[str, ListedJob]:
        """These jobs, by id, in one round trip; those that have no hash are left out."""
        return {job.job_id: job for job in await self._read(list(ids), with_types=False)}

    async def _running(self, choice: Choice, wanted: int, budget: _Budget) -> list[ListedJob]:
        total = int(await self._redis.zcard(self._keys.leases))
        budget.looked.total += total
        found: list[ListedJob] = []
        place = 0
        # The leases that run longest from now were given out or renewed last.
        while place < total and (count := budget.take(READ_AT_ONCE)):
            ids = texts(
                await self._redis.zrange(self._keys.leases, place, place + count - 1, desc=True)
            )
            budget.spend(len(ids))
            jobs = await self._read(ids, choice.error is not None)
            found += [job for job in jobs if choice.fits(job)]
            place += count
            if not ids or len(found) >= wanted:
                break
        return found

    async def _waiting(
        self, choice: Choice, wanted: int, budget: _Budget, queues: Iterable[str]
    ) -> list[ListedJob]:
        names = {choice.queue} if choice.queue else {*await self._queues.names(), *queues}
        sizes = await self._sizes(sorted(names))
        budget.looked.total += sum(sizes.values())
        found: list[ListedJob] = []
        for place, (name, size) in enumerate(sizes.items()):
            # A fair part of the budget for each queue that is still to come.
            share = budget.take(size)
            if budget.left is not None:
                share = min(share, -(-budget.left // (len(sizes) - place)))
            in_this: list[ListedJob] = []
            start = 0
            while start < share and len(in_this) < wanted:
                count = min(READ_AT_ONCE, share - start)
                key = self._keys.queue(name)
                ids = texts(await self._redis.zrange(key, start, start + count - 1, desc=True))
                budget.spend(len(ids))
                jobs = await self._read(ids, choice.error is not None)
                in_this += [job for job in jobs if choice.fits(job)]
                start += count
            found += in_this
        return found

    async def _sizes(self, names: Sequence[str]) -> dict[str, int]:
        if not names:
            return {}
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.zcard(self._keys.queue(name))
            sizes = await pipeline.execute(raise_on_error=False)
        return {
            name: size
            for name, size in zip(names, sizes, strict=True)
            if isinstance(size, int) and size
        }

    async def _ended(
        self, choice: Choice, wanted: int, max_scan: int, looked: Looked
    ) -> list[ListedJob]:
        entries = self._history.ended(
            statuses=choice.statuses,
            queue=choice.queue,
            function=choice.function,
            since_ms=choice.since.timestamp() * 1000 if choice.since else None,
            until_ms=choice.until.timestamp() * 1000 if choice.until else None,
        )
        # By id: what ends while a minute is read pushes entries on into the next look at it.
        found: dict[str, ListedJob] = {}
        seen = 0
        async with aclosing(entries):
            async for jobs, count in self._still_so(entries, choice.error is not None):
                found |= {job.job_id: job for job in jobs if choice.fits(job)}
                seen += count
                if len(found) >= wanted:
                    break
                if choice.error and max_scan and seen >= max_scan:
                    looked.left_off = True
                    break
        return list(found.values())

    async def _still_so(
        self, entries: AsyncGenerator[list[Ended], None], with_types: bool
    ) -> AsyncGenerator[tuple[list[ListedJob], int], None]:
        """The jobs of entries that still say what is, and how many entries were looked at."""
        async for batch in entries:
            for start in range(0, len(batch), READ_AT_ONCE):
                part = batch[start : start + READ_AT_ONCE]
                jobs = await self._read([one.job_id for one in part], with_types)
                by_id = {job.job_id: job for job in jobs}
                yield (
                    [
                        job
                        for one in part
                        if (job := by_id.get(one.job_id)) and _is_the_end_of(one, job)
                    ],
                    len(part),
                )

    async def _read(self, ids: Sequence[str], with_types: bool) -> list[ListedJob]:
        fields = (*FIELDS, "attempts") if with_types else FIELDS
        answers = await hash_values(self._redis, map(self._keys.job, ids), fields)
        jobs = []
        for job_id, values in zip(ids, answers, strict=True):
            if values and any(value is not None for value in values):
                jobs.append(self._job(job_id, values))
        return jobs

    async def _typed(self, jobs: Sequence[ListedJob]) -> list[ListedJob]:
        """The jobs with the types of their errors: of those that are shown, not of all."""
        untold = [job.job_id for job in jobs if job.error and not job.error_type]
        answers = await hash_values(self._redis, map(self._keys.job, untold), ["attempts"])
        attempts = {
            job_id: values[0] for job_id, values in zip(untold, answers, strict=True) if values
        }
        return [
            replace(job, error_type=error_type_of(attempts[job.job_id], job.error))
            if job.job_id in attempts
            else job
            for job in jobs
        ]

    def _job(self, job_id: str, values: Sequence[bytes | None]) -> ListedJob:
        (
            status,
            function_name,
            queue,
            enqueued,
            due,
            started,
            ended,
            retries,
            error,
            worker,
            *attempts,
        ) = values
        state = text_of(status) or "-"
        is_over = state in JobStatus.__members__ and JobStatus(state).is_terminal
        return ListedJob(
            job_id=job_id,
            status=state,
            function_name=text_of(function_name),
            queue=self._keys.bare_queue(text(queue)) if queue else None,
            enqueued_at=time_of(enqueued),
            due_at=time_of(due),
            started_at=time_of(started),
            ended_at=time_of(ended) if is_over else None,
            retries=count_of(retries),
            error=text_of(error),
            worker_id=text_of(worker),
            error_type=error_type_of(attempts[0], text_of(error)) if attempts else None,
        )


def _newest(job: ListedJob) -> float:
    return job.changed_at.timestamp() if job.changed_at else 0


def _is_the_end_of(entry: Ended, job: ListedJob) -> bool:
    return (
        job.status == entry.status
        and job.ended_at is not None
        # The history has whole milliseconds.
        and abs(job.ended_at.timestamp() * 1000 - entry.ended_ms) < 1.5
    )
