"""`Evidences`: reads in one step what `rrq.explain` judges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rrq.explain.evidence import (
    Evidence,
    HolderFacts,
    JobFacts,
    KeyKind,
    Place,
    QueueFacts,
    RunningJob,
)
from rrq.job import JobStatus
from rrq.store.claim import runs_alone
from rrq.store.error_types import error_type_of
from rrq.store.jobs import time_from_ms
from rrq.store.lenient import number_of, text_of, time_of
from rrq.store.replies import text
from rrq.store.serving import serving_from_health

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.store.keys import Keys
    from rrq.store.queues import Queues
    from rrq.store.scripts import Steps

TEXTS = ("function_name", "status", "queue_name", "job_unique_key", "worker_id", "last_error")
TIMES = (
    "enqueue_time",
    "next_scheduled_run_time",
    "start_time",
    "completion_time",
    "cancel_requested",
)
NUMBERS = ("current_retries", "max_retries", "job_timeout_seconds", "lost_count")
FIELDS = (*TEXTS, *TIMES, *NUMBERS, "attempts")
REQUIRED = ("function_name", "enqueue_time")

MAX_WORKERS, MAX_RUNNING, MAX_QUEUES = 200, 500, 1000


class Evidences:
    """Evidence, by job id."""

    def __init__(self, steps: Steps, keys: Keys, queues: Queues, settings: RRQSettings) -> None:
        self._steps = steps
        self._keys = keys
        self._queues = queues
        self._settings = settings
        configured = [settings.default_queue_name, *settings.executor_routes]
        configured += [job.queue_name for job in settings.cron_jobs if job.queue_name]
        self._configured = list(dict.fromkeys(map(keys.bare_queue, configured)))

    async def of(self, job_id: str) -> Evidence | None:
        """What is known of a job at this instant; None if that is nothing at all.

        An id that is not in the queue its hash names is looked for in at most a thousand others.
        """
        evidence = await self._read(job_id, self._configured)
        is_astray = evidence.kind != "hash" or evidence.job.status not in _ENDED
        if is_astray and not evidence.places and evidence.lease_until is None:
            names = [*self._configured, *await self._queues.names()]
            evidence = await self._read(job_id, list(dict.fromkeys(names))[:MAX_QUEUES])
        return None if evidence.is_nowhere else evidence

    async def _read(self, job_id: str, queues: Sequence[str]) -> Evidence:
        (
            now_ms,
            kind,
            fields,
            pttl,
            lease_expiry,
            unborn_since,
            places,
            queue,
            unique,
            workers,
            running,
            dead,
        ) = await self._steps.read(
            "explain",
            job_id,
            self._keys.bare_queue(self._settings.default_queue_name),
            self._keys.bare_dlq(self._settings.default_dlq_name),
            MAX_WORKERS,
            MAX_RUNNING,
            len(FIELDS),
            *FIELDS,
            *queues,
        )
        key_kind: KeyKind = kind.decode()
        return Evidence(
            job_id=job_id,
            now=time_from_ms(now_ms),
            local_now=datetime.now(UTC),
            kind=key_kind,
            job=self._job(fields) if key_kind == "hash" else JobFacts(),
            expires_seconds=pttl / 1000 if pttl >= 0 else None,
            lease_until=_moment(lease_expiry),
            unborn_since=_moment(unborn_since),
            places=tuple(
                Place(queue=text(name), due_at=time_from_ms(due_ms)) for name, due_ms in places
            ),
            queue=_queue(queue),
            holder=_holder(unique, job_id),
            workers=tuple(
                serving_from_health(text(worker_id), health) for worker_id, _, health in workers[1:]
            ),
            workers_alive=workers[0],
            running=tuple(self._running(one) for one in running[1:]),
            running_in_all=running[0],
            dlq=text(dead[0]),
            is_dead_letter=dead[1] == b"1",
        )

    def _job(self, fields: Sequence[bytes | None]) -> JobFacts:
        raw = dict(zip(FIELDS, fields, strict=True))
        texts = {name: text_of(raw[name]) for name in TEXTS}
        times = {name: time_of(raw[name]) for name in TIMES}
        numbers = {name: number_of(raw[name]) for name in NUMBERS}
        read: dict[str, Any] = {**texts, **times, **numbers, "attempts": raw["attempts"]}
        unreadable = [
            name
            for name in FIELDS
            if read[name] is None and (name in REQUIRED or raw[name] not in (None, b"", b"null"))
        ]
        if texts["status"] is not None and texts["status"] not in JobStatus.__members__:
            unreadable.append("status")
        queue = texts["queue_name"]
        return JobFacts(
            function_name=texts["function_name"],
            status=texts["status"],
            queue=None if queue is None else self._keys.bare_queue(queue),
            enqueued_at=times["enqueue_time"],
            due_at=times["next_scheduled_run_time"],
            started_at=times["start_time"],
            ended_at=times["completion_time"],
            failed_attempts=int(numbers["current_retries"] or 0),
            max_attempts=int(numbers["max_retries"] or self._settings.default_max_retries),
            timeout_seconds=(
                numbers["job_timeout_seconds"] or self._settings.default_job_timeout_seconds
            ),
            lost_count=int(numbers["lost_count"] or 0),
            runs_alone=self._runs_alone(numbers["lost_count"]),
            unique_key=texts["job_unique_key"],
            worker_id=texts["worker_id"],
            cancel_requested_at=times["cancel_requested"],
            last_error=texts["last_error"],
            last_error_type=error_type_of(raw["attempts"], texts["last_error"]),
            unreadable=tuple(unreadable),
        )

    def _running(self, reply: Sequence[bytes]) -> RunningJob:
        job_id, worker_id, function_name, queue, start_time, lost_count = reply
        return RunningJob(
            job_id=text(job_id),
            worker_id=text(worker_id),
            function_name=text(function_name),
            queue=text(queue),
            started_at=time_of(start_time),
            runs_alone=self._runs_alone(number_of(lost_count)),
        )

    def _runs_alone(self, lost_count: float | None) -> bool:
        return runs_alone(lost_count or 0, self._settings.max_lost)


_ENDED = [status.value for status in JobStatus if status.is_terminal]


def _queue(reply: Sequence[Any]) -> QueueFacts:
    name, is_paused, waiting, due, ahead, parked = reply
    return QueueFacts(
        name=text(name),
        is_paused=is_paused == b"1",
        waiting=waiting,
        due=due,
        ahead=ahead,
        parked_workers=parked,
    )


def _holder(reply: Sequence[Any], job_id: str) -> HolderFacts | None:
    """Who holds the unique key, if it is another job."""
    if len(reply) < 2 or text(reply[1]) == job_id:
        return None
    _, holder, pttl, status, queue, worker_id, function_name, due_ms, expiry_ms = reply
    return HolderFacts(
        job_id=text(holder),
        key_seconds=pttl / 1000 if pttl >= 0 else None,
        status=text_of(status),
        queue=text_of(queue),
        worker_id=text_of(worker_id),
        function_name=text_of(function_name),
        due_at=_moment(due_ms),
        runs=bool(expiry_ms),
    )


def _moment(score: bytes) -> datetime | None:
    return time_from_ms(score) if score else None
