"""`write_fake_jobs`: jobs in any state, as producers and workers would have left them.

A waiting one is in its queue, a running one in the lease set, a failed one in the dead letter
queue; what has ended has its TTL.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rrq.job import JobStatus
from rrq.store.codec import encode_json

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.store.store import JobStore

FUNCTIONS = ("test_send_email", "test_resize_image", "test_import_orders", "test_build_report")

LEASE_SECONDS = 3600.0
"""How long a running fake seems to run; then a real worker takes it for lost."""

FAILED_TTL_SECONDS = 7 * 86_400
SHORTEST_TTL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class FakeJob:
    """A job on its way into Redis.

    Attributes:
        queue: bare name.
        fields: its hash.
        due_at: when it is due, if it waits.
        ended_at: when it ended, if it has.
        ttl_seconds: how long its hash stays; None is for ever.
    """

    id: str
    queue: str
    status: JobStatus
    fields: dict[str, str | bytes | int]
    due_at: datetime | None = None
    ended_at: datetime | None = None
    ttl_seconds: int | None = field(default=None)


async def write_fake_jobs(
    store: JobStore,
    *,
    count: int,
    queues: Sequence[str] = (),
    statuses: Sequence[JobStatus] = tuple(JobStatus),
    age_hours: float = 24.0,
    batch_size: int = 10,
    written: Callable[[int], None] = lambda count: None,
) -> dict[JobStatus, int]:
    """Write fake jobs, the states and queues in turn; returns how many there are of each state.

    Args:
        queues: names, bare or full; the default queue if empty.
        statuses: the states to take in turn.
        age_hours: how long ago the oldest may have been enqueued.
        batch_size: how many are written at once; a batch appears as a whole.
        written: called with the size of each batch.
    """
    now = await store.now()
    names = [store.keys.bare_queue(name) for name in queues or [store.settings.default_queue_name]]
    jobs = [
        _fake_job(
            store.settings,
            statuses[index % len(statuses)],
            names[index // len(statuses) % len(names)],
            now,
            timedelta(hours=age_hours * random.random()),
        )
        for index in range(count)
    ]
    # The dead letter queue has the newest first, so the oldest must come first here.
    jobs.sort(key=lambda job: job.ended_at or now)
    for batch in _batches(jobs, batch_size):
        await _write(store, batch, now)
        written(len(batch))
    totals = {status: sum(job.status is status for job in jobs) for status in statuses}
    return {status: total for status, total in totals.items() if total}


async def _write(store: JobStore, jobs: Sequence[FakeJob], now: datetime) -> None:
    keys = store.keys
    running = [job for job in jobs if job.status is JobStatus.ACTIVE]
    # Tokens are given out before the batch: each must be greater than every earlier one.
    last = await store.redis.incrby(keys.lease_token, len(running)) if running else 0
    for number, job in enumerate(running):
        job.fields["lease_token"] = last - len(running) + 1 + number
    async with store.redis.pipeline(transaction=True) as pipeline:
        for job in jobs:
            pipeline.hset(keys.job(job.id), mapping=job.fields)  # type: ignore[arg-type]
            pipeline.sadd(keys.queues, job.queue)
            if job.due_at is not None:
                pipeline.zadd(keys.queue(job.queue), {job.id: _ms(job.due_at)})
            if job.status is JobStatus.ACTIVE:
                pipeline.zadd(keys.leases, {job.id: _ms(now) + LEASE_SECONDS * 1000})
            if job.status is JobStatus.FAILED:
                pipeline.lpush(keys.dlq(store.settings.default_dlq_name), job.id)
            if job.ttl_seconds is not None:
                pipeline.expire(keys.job(job.id), job.ttl_seconds)
        await pipeline.execute()


def _fake_job(
    settings: RRQSettings, status: JobStatus, queue: str, now: datetime, age: timedelta
) -> FakeJob:
    enqueued_at = now - age
    job_id = f"test_{uuid4().hex}"
    fields: dict[str, str | bytes | int] = {
        "id": job_id,
        "function_name": random.choice(FUNCTIONS),
        "job_args": encode_json([random.randrange(1000)]),
        "job_kwargs": encode_json({"is_test": True}),
        "enqueue_time": _iso(enqueued_at),
        "status": status,
        "current_retries": 0,
        "queue_name": queue,
        "next_scheduled_run_time": _iso(enqueued_at),
        "max_retries": settings.default_max_retries,
        "job_timeout_seconds": settings.default_job_timeout_seconds,
        "result_ttl_seconds": settings.default_result_ttl_seconds,
        "result": "null",
    }
    if status is JobStatus.PENDING:
        return FakeJob(job_id, queue, status, fields, due_at=enqueued_at)
    if status is JobStatus.CANCELLED:
        ended_at = enqueued_at + age * random.random()
        fields["completion_time"] = _iso(ended_at)
        return _ended(job_id, queue, status, fields, ended_at, now)
    worker_id = f"rrq_worker_test_{random.randrange(4)}"
    started_at = enqueued_at + min(age, timedelta(seconds=10)) * random.random()
    attempt_ended_at = started_at + (now - started_at) * random.random() * 0.01
    fields |= {"start_time": _iso(started_at), "worker_id": worker_id}
    if status is JobStatus.ACTIVE:
        return FakeJob(job_id, queue, status, fields)
    if status is JobStatus.COMPLETED:
        fields |= {
            "completion_time": _iso(attempt_ended_at),
            "result": encode_json({"rows": random.randrange(1000)}),
        }
        return _ended(job_id, queue, status, fields, attempt_ended_at, now)
    return _failed(job_id, queue, status, fields, (started_at, attempt_ended_at, now), settings)


def _failed(
    job_id: str,
    queue: str,
    status: JobStatus,
    fields: dict[str, str | bytes | int],
    times: tuple[datetime, datetime, datetime],
    settings: RRQSettings,
) -> FakeJob:
    """A job whose attempts failed: all but the last, or all of them."""
    started_at, ended_at, now = times
    is_final = status is JobStatus.FAILED
    failures = settings.default_max_retries if is_final else 1
    error = "ValueError: a fake failure"
    attempt: dict[str, Any] = {
        "outcome": "error" if is_final else "retry",
        "worker": fields["worker_id"],
        "started_at": _iso(started_at),
        "ended_at": _iso(ended_at),
        "attempt": failures,
        "error_type": "ValueError",
        "error": error,
    }
    fields |= {
        "current_retries": failures,
        "last_error": error,
        "attempts": encode_json([attempt]),
    }
    if is_final:
        fields["completion_time"] = _iso(ended_at)
        return _ended(job_id, queue, status, fields, ended_at, now)
    due_at = now + timedelta(seconds=settings.max_retry_delay_seconds * random.random())
    fields["next_scheduled_run_time"] = _iso(due_at)
    return FakeJob(job_id, queue, status, fields, due_at=due_at)


def _ended(
    job_id: str,
    queue: str,
    status: JobStatus,
    fields: dict[str, str | bytes | int],
    ended_at: datetime,
    now: datetime,
) -> FakeJob:
    kept = FAILED_TTL_SECONDS
    if status is not JobStatus.FAILED:
        kept = int(fields["result_ttl_seconds"])
    left = round(kept - (now - ended_at).total_seconds())
    # One that would have expired by now is kept a little, or it could not be looked at.
    ttl = max(left, SHORTEST_TTL_SECONDS) if kept > 0 else None
    return FakeJob(job_id, queue, status, fields, ended_at=ended_at, ttl_seconds=ttl)


def _batches(jobs: Sequence[FakeJob], size: int) -> Iterator[Sequence[FakeJob]]:
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _ms(time: datetime) -> float:
    return round(time.timestamp() * 1000, 3)
