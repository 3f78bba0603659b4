"""`Observer`: looks at an RRQ, again and again, for the same few milliseconds of Redis' time
whatever the number of jobs.

    observer = Observer(store)
    snapshot = await observer.snapshot()

Everything that is read is bounded by the numbers below, and nothing is changed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from redis.exceptions import RedisError

from rrq.job import JobStatus
from rrq.store.connection import describe_address
from rrq.store.lenient import time_of
from rrq.store.listing import Choice
from rrq.store.serving import serving_from_health
from rrq_top.snapshot import QueueNow, Snapshot, WorkerNow

if TYPE_CHECKING:
    from rrq.store.active import ActiveJob, ActivePage
    from rrq.store.listing import Listed
    from rrq.store.statistics import Window
    from rrq.store.store import JobStore

MOST_QUEUES = 100
MOST_WORKERS = 200
MOST_RUNNING = 500
MOST_FAILURES = 200

FAILURES_SINCE = timedelta(hours=1)

NAMES_KEPT_SECONDS = 2.0
"""How old the list of queues may be: it is the only thing that has no bound of its own."""

PERCENTILES_KEPT_SECONDS = 5.0
FAILURES_KEPT_SECONDS = 5.0

T = TypeVar("T")


class Observer:
    """Looks at one RRQ.

    Args:
        store: it belongs to the caller.
        only: look at these queues alone, bare or full names.

    Attributes:
        last: the last snapshot; None before the first.
    """

    def __init__(self, store: JobStore, only: Iterable[str] = ()) -> None:
        self.store = store
        self.only = tuple(dict.fromkeys(map(store.keys.bare_queue, only)))
        self.last: Snapshot | None = None
        self.address = describe_address(store.settings.redis_dsn)
        self._names: Kept[tuple[list[str], int]] = Kept(NAMES_KEPT_SECONDS)
        self._percentiles: Kept[dict[str, list[Window]]] = Kept(PERCENTILES_KEPT_SECONDS)
        self._failures: Kept[Listed] = Kept(FAILURES_KEPT_SECONDS)

    async def snapshot(self) -> Snapshot:
        """Look once.

        Raises:
            redis.exceptions.RedisError, OSError: Redis does not answer, or refuses.
        """
        began = time.perf_counter()
        names, known_queues = await self._names.get(self._queue_names)
        now, queues, (workers, known_workers), active, dead_letters = await together(
            self.store.now(),
            self._queues(names),
            self._workers(),
            self._active(),
            self._dead_letters(),
        )
        failures = await self._failures.get(lambda: self._newest_failures(now), mark=dead_letters)
        running = Counter(job.queue for job in active.jobs)
        if active.seen >= active.total and not self.only:
            # A heartbeat may be a minute old.
            workers = [with_running(worker, active.jobs) for worker in workers]
        self.last = Snapshot(
            at=now,
            took_seconds=time.perf_counter() - began,
            address=self.address,
            prefix=self.store.keys.prefix,
            only=self.only,
            queues=tuple(replace(queue, running=running[queue.name]) for queue in queues),
            known_queues=known_queues,
            workers=tuple(workers),
            known_workers=known_workers,
            running=tuple(active.jobs),
            running_seen=active.seen,
            running_total=len(active.jobs) if self.only else active.total,
            failures=tuple(job for job in failures.jobs if self._is_meant(job.queue)),
            has_more_failures=failures.has_more,
            dead_letters=dead_letters,
        )
        return self.last

    def forget(self) -> None:
        """Have the next look see what somebody has just changed."""
        self._names.forget()
        self._failures.forget()

    async def forget_connections(self) -> None:
        """Let go of connections that a server which went away has left dead."""
        self.forget()
        with suppress(RedisError, OSError):
            await self.store.redis.connection_pool.disconnect(inuse_connections=False)

    # -- queues -------------------------------------------------------------------------

    async def _queue_names(self) -> tuple[list[str], int]:
        """The queues to look at, and how many there are; those that were active last come first."""
        if self.only:
            return list(self.only), len(self.only)
        store = self.store
        counted, paused, known = await together(
            store.statistics.names("queue"), store.queues.paused(), store.queues.names()
        )
        names = dict.fromkeys([*sorted(paused), *counted, *configured_queues(store), *known])
        return list(names)[:MOST_QUEUES], len(names)

    async def _queues(self, names: Sequence[str]) -> list[QueueNow]:
        statistics = self.store.statistics
        sizes, minute, minutes = await together(
            self.store.queues.describe(names),
            statistics.windows("queue", names, (1,)),
            self._percentiles.get(
                lambda: statistics.windows("queue", names, (5,)), mark=tuple(names)
            ),
        )
        return [
            QueueNow(
                size=size, running=0, minute=minute[size.name][0], minutes=minutes[size.name][0]
            )
            for size in sizes
        ]

    # -- workers and jobs ---------------------------------------------------------------

    async def _workers(self) -> tuple[list[WorkerNow], int]:
        ids = await self.store.workers.ids()
        healths, now = await together(
            self.store.workers.healths(ids[:MOST_WORKERS]), self.store.now()
        )
        workers = [
            worker_from_health(worker_id, health, ttl_seconds, now)
            for worker_id, (health, ttl_seconds) in healths.items()
        ]
        if self.only:
            workers = [
                worker for worker in workers if not set(self.only).isdisjoint(worker.serving.queues)
            ]
            return workers, len(workers)
        return workers, len(ids)

    async def _active(self) -> ActivePage:
        page = await self.store.active.page(limit=MOST_RUNNING, max_scan=MOST_RUNNING)
        return replace(page, jobs=[job for job in page.jobs if self._is_meant(job.queue)])

    async def _dead_letters(self) -> int:
        return await self.store.dead_letters.count(self.store.settings.default_dlq_name)

    async def _newest_failures(self, now: datetime) -> Listed:
        choice = Choice(
            statuses=frozenset({JobStatus.FAILED}),
            queue=self.only[0] if len(self.only) == 1 else None,
            since=now - FAILURES_SINCE,
        )
        return await self.store.listing.page(choice, limit=MOST_FAILURES)

    def _is_meant(self, queue: str | None) -> bool:
        return not self.only or queue in self.only


class Kept(Generic[T]):
    """An answer that is good for a while, as long as its mark stays the same."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._answer: tuple[float, object, T] | None = None

    async def get(self, ask: Callable[[], Awaitable[T]], mark: object = None) -> T:
        """The answer that is kept, or a new one."""
        now = time.monotonic()
        if self._answer and now - self._answer[0] < self._seconds and self._answer[1] == mark:
            return self._answer[2]
        answer = await ask()
        self._answer = (now, mark, answer)
        return answer

    def forget(self) -> None:
        """Ask anew at the next time."""
        self._answer = None


async def together(*questions: Awaitable[Any]) -> list[Any]:
    """The answers to all of these, asked at the same time.

    Raises:
        Exception: what the first of them raised, once all have ended.
    """
    answers = await asyncio.gather(*questions, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def configured_queues(store: JobStore) -> list[str]:
    """The bare names of the queues that the configuration names: a plain producer, which writes
    a hash and a sorted set, makes none of its own known."""
    settings = store.settings
    names = [settings.default_queue_name, *settings.executor_routes]
    names += [job.queue_name for job in settings.cron_jobs if job.queue_name]
    return [store.keys.bare_queue(name) for name in names]


def worker_from_health(
    worker_id: str, health: dict[str, Any], ttl_seconds: float | None, now: datetime
) -> WorkerNow:
    """A worker from its health; anybody may have written it.

    Args:
        ttl_seconds: how long the health will stay.
        now: by Redis' clock.
    """
    serving = serving_from_health(worker_id, health)
    counts = health.get("counts")
    written_at = _time(health.get("timestamp"))
    age_seconds = None
    if serving.ttl_seconds is not None and ttl_seconds is not None:
        age_seconds = max(0.0, serving.ttl_seconds - ttl_seconds)
    elif written_at is not None:
        age_seconds = max(0.0, (now - written_at).total_seconds())
    return WorkerNow(
        serving=serving,
        in_flight=_whole(health.get("active_jobs")),
        capacity=_whole(health.get("concurrency_limit")),
        heartbeat_age_seconds=age_seconds,
        started_at=_time(health.get("started_at")),
        counts={str(name): _whole(one) for name, one in counts.items()}
        if isinstance(counts, dict)
        else {},
    )


def with_running(worker: WorkerNow, jobs: Iterable[ActiveJob]) -> WorkerNow:
    """The worker with the jobs that it has now, of all that run."""
    mine = [job for job in jobs if job.worker_id == worker.worker_id]
    by_executor = Counter(job.executor for job in mine)
    executors = {
        name: replace(state, in_flight=by_executor[name])
        for name, state in worker.serving.executors.items()
    }
    serving = replace(worker.serving, executors=executors)
    return replace(worker, serving=serving, in_flight=len(mine))


def _time(value: Any) -> datetime | None:
    # Lone surrogates, which JSON may have, are no bytes of any time.
    return time_of(value.encode(errors="replace")) if isinstance(value, str) else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
