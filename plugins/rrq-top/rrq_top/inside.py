"""Looking into one queue, job or function: what Redis tells of it, as plain data.

As for the panes, what is read at each look is bounded, and nothing is changed. Only a job's whole
hash, with arguments and result of any size, is read when the job is opened and when it changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from redis.exceptions import NoPermissionError

from rrq.cron import cron_entries
from rrq.explain import judge
from rrq.job import JobStatus
from rrq.store.listing import Choice, ListedJob
from rrq.store.replies import is_wrong_type, text
from rrq.store.statistics import WINDOWS_MINUTES, Window
from rrq_top.observer import together, worker_from_health

if TYPE_CHECKING:
    from rrq.explain import Reason
    from rrq.store.active import ActiveJob
    from rrq.store.queues import QueueSize, Waiting
    from rrq.store.store import JobStore
    from rrq_top.snapshot import WorkerNow

MOST_JOBS = 50
"""How many jobs of each kind are shown inside a queue or function."""

MOST_FUNCTIONS = 50

ENDED = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInside:
    """A queue with its jobs.

    Attributes:
        size: None if its key is no queue.
        windows: the last 1, 5, 15 and 60 minutes.
        totals: how often each event happened, for as long as that is kept.
        running: those that run longest.
        waiting: those that are due first; without a job if its hash is missing.
        ended: those that ended last.
    """

    name: str
    at: datetime
    size: QueueSize | None
    windows: Sequence[Window]
    totals: Counter[str]
    running: Sequence[ActiveJob] = ()
    waiting: Sequence[tuple[Waiting, ListedJob | None]] = ()
    ended: Sequence[ListedJob] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInside:
    """A function with the jobs of it that ended last."""

    name: str
    at: datetime
    windows: Sequence[Window]
    totals: Counter[str]
    ended: Sequence[ListedJob] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsInside:
    """The functions that were active last: the last five minutes of each, of `known` in all."""

    at: datetime
    windows: Mapping[str, Window]
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInside:
    """A worker with the jobs that it runs.

    Attributes:
        worker: None if it has no heartbeat any more.
        running_count: how many jobs it runs, of which `running` may be the first.
    """

    worker_id: str
    at: datetime
    worker: WorkerNow | None
    running: Sequence[ActiveJob] = ()
    running_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSlot:
    """A cron job with the slot that was taken last and the one that comes next."""

    name: str
    schedule: str
    zone: str
    function_name: str
    queue: str
    last_at: datetime | None
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CronInside:
    """The configured cron jobs."""

    at: datetime
    slots: Sequence[CronSlot]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInside:
    """A job.

    Attributes:
        fields: its hash; empty if there is none.
        queue: the bare name of its queue.
        reasons: why it does not run, or what became of it; empty if we may not ask.
    """

    job_id: str
    at: datetime
    fields: Mapping[str, str]
    queue: str | None = None
    reasons: Sequence[Reason] = ()


async def look_into_queue(store: JobStore, name: str) -> QueueInside:
    """A queue, by its bare name."""
    now, sizes, windows, totals, active, waiting, ended = await together(
        store.now(),
        store.queues.describe([name]),
        store.statistics.windows("queue", [name], WINDOWS_MINUTES),
        store.statistics.totals("queue", [name]),
        store.active.page(queue=name, limit=MOST_JOBS),
        _waiting(store, name),
        store.listing.page(Choice(statuses=ENDED, queue=name), limit=MOST_JOBS),
    )
    return QueueInside(
        name=name,
        at=now,
        size=sizes[0] if sizes else None,
        windows=windows[name],
        totals=totals[name],
        running=active.jobs,
        waiting=waiting,
        ended=ended.jobs,
    )


async def look_into_worker(store: JobStore, worker_id: str) -> WorkerInside:
    """A worker, by its id."""
    now, healths, active = await together(
        store.now(),
        store.workers.healths([worker_id]),
        store.active.page(worker_id=worker_id, limit=MOST_JOBS),
    )
    worker = None
    if worker_id in healths:
        health, ttl_seconds = healths[worker_id]
        worker = worker_from_health(worker_id, health, ttl_seconds, now)
    return WorkerInside(
        worker_id=worker_id,
        at=now,
        worker=worker,
        running=active.jobs,
        running_count=active.fitting,
    )


async def look_into_function(store: JobStore, name: str) -> FunctionInside:
    """A function, by its full name."""
    now, windows, totals, ended = await together(
        store.now(),
        store.statistics.windows("function", [name], WINDOWS_MINUTES),
        store.statistics.totals("function", [name]),
        store.listing.page(Choice(statuses=ENDED, function=name), limit=MOST_JOBS),
    )
    return FunctionInside(
        name=name, at=now, windows=windows[name], totals=totals[name], ended=ended.jobs
    )


async def look_into_functions(store: JobStore) -> FunctionsInside:
    """The functions that were active last."""
    names = await store.statistics.names("function")
    now, windows = await together(
        store.now(), store.statistics.windows("function", names[:MOST_FUNCTIONS], (5,))
    )
    return FunctionsInside(
        at=now, windows={name: one for name, [one] in windows.items()}, known=len(names)
    )


async def look_into_cron(store: JobStore) -> CronInside:
    """The cron jobs of the configuration.

    Raises:
        ConfigError: a schedule cannot be used.
    """
    entries = cron_entries(store.settings)
    now, *last = await together(
        store.now(), *(store.cron.last_slot(entry.name) for entry in entries)
    )
    default_queue = store.settings.default_queue_name
    slots = [
        CronSlot(
            name=entry.name,
            schedule=entry.job.schedule,
            zone=entry.zone_name or "local",
            function_name=entry.job.function_name,
            queue=store.keys.bare_queue(entry.job.queue_name or default_queue),
            last_at=last_at,
            next_at=entry.schedule.next_after(now),
        )
        for entry, last_at in zip(entries, last, strict=True)
    ]
    return CronInside(at=now, slots=slots)


@dataclass(slots=True)
class JobLook:
    """Looks at one job again and again, and reads its whole hash only when it has changed."""

    job_id: str
    _fields: dict[str, str] = field(default_factory=dict)
    _mark: tuple[str | None, ...] = ()

    async def again(self, store: JobStore) -> JobInside:
        """The job as it is now."""
        now, small, reasons = await together(
            store.now(), _small_fields(store, self.job_id), _reasons(store, self.job_id)
        )
        mark = tuple(small.get(name) for name in TELLTALE)
        if not any(mark):
            self._fields = {}
        elif mark != self._mark:
            self._fields = await store.jobs.get_fields(self.job_id)
        self._mark = mark
        kept = {name: one for name, one in self._fields.items() if name not in CHANGING}
        queue = small.get("queue_name")
        return JobInside(
            job_id=self.job_id,
            at=now,
            fields={**kept, **small} if self._fields else {},
            queue=store.keys.bare_queue(queue) if queue else None,
            reasons=reasons,
        )


TELLTALE = ("function_name", "status", "enqueue_time", "lease_token", "settled_token")
"""A job whose hash has changed otherwise than by `CHANGING` has changed one of these."""

CHANGING = ("progress", "cancel_requested", "next_scheduled_run_time", "queue_name")


async def _small_fields(store: JobStore, job_id: str) -> dict[str, str]:
    names = (*TELLTALE, *CHANGING)
    async with store.redis.pipeline(transaction=False) as pipeline:
        pipeline.hmget(store.keys.job(job_id), names)
        [answer] = await pipeline.execute(raise_on_error=False)
    if is_wrong_type(answer):
        return {}
    if isinstance(answer, Exception):
        raise answer
    return {name: text(one) for name, one in zip(names, answer, strict=True) if one is not None}


async def _reasons(store: JobStore, job_id: str) -> Sequence[Reason]:
    try:
        evidence = await store.evidence.of(job_id)
    except NoPermissionError:
        # It takes a script, which one who may only read is not allowed to run.
        return ()
    return judge(evidence) if evidence else ()


async def _waiting(store: JobStore, queue: str) -> list[tuple[Waiting, ListedJob | None]]:
    waiting = await store.queues.waiting(queue, 0, MOST_JOBS)
    jobs = await store.listing.jobs(one.job_id for one in waiting)
    return [(one, jobs.get(one.job_id)) for one in waiting]
