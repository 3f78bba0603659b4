"""`timeline`: what happened to a job and when, as far as its hash tells.

A hash keeps its last 20 attempts, and of a success at the first attempt only start and end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from rrq.job import JobStatus
from rrq.store.codec import read_time
from rrq.wording import told_error

if TYPE_CHECKING:
    from rrq.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a job.

    Attributes:
        name: `enqueued`, `due`, `started`, the outcome of an attempt after which the job went on
            (`retry`, `error`, `lost`, …), `cancel requested`, `completed`, `failed` or
            `cancelled`.
        at: when; None if the hash does not tell.
        duration_seconds: how long the attempt took that ended here.
        attempt: its number, from 1.
    """

    name: str
    at: datetime | None
    duration_seconds: float | None = None
    attempt: int | None = None
    worker: str | None = None
    executor: str | None = None
    error_type: str | None = None
    error: str | None = None

    @property
    def told_error(self) -> str | None:
        """The error with its type; one that asks for a retry stands for itself."""
        return told_error(self.error, None if self.name == "retry" else self.error_type)


def timeline(job: Job, fields: Mapping[str, str]) -> list[Event]:
    """What happened, in order.

    Args:
        job: the job that the hash describes.
        fields: the hash itself; what cannot be read in its history is left out.
    """
    events = [
        Event(name="enqueued", at=job.enqueue_time),
        Event(name="due", at=job.next_scheduled_run_time),
    ]
    attempts = _attempts(fields)
    ends = [_end_of(attempt) for attempt in attempts]
    for attempt, end in zip(attempts, ends, strict=True):
        if started_at := _time(attempt.get("started_at")):
            start = replace(end, name="started", at=started_at, duration_seconds=None)
            events += [replace(start, error_type=None, error=None), end]
        else:
            events.append(end)
    unlisted = job.start_time not in {_time(attempt.get("started_at")) for attempt in attempts}
    if job.start_time and unlisted:
        events.append(_last_start(job))
    if requested_at := _time(fields.get("cancel_requested")):
        events.append(Event(name="cancel requested", at=requested_at))
    if job.status.is_terminal:
        last = ends[-1] if ends and ends[-1].at == job.completion_time else None
        events = [event for event in events if event is not last]
        # A cancelled attempt is in the history: what is not was given back before.
        own_start = job.start_time if unlisted and job.status is not JobStatus.CANCELLED else None
        events.append(_end(job, last, began_at=own_start))
    return _in_order([event for event in events if event.at or event.name != "due"])


def total_seconds(job: Job) -> float | None:
    """From being enqueued to its end; None if it has not ended."""
    if not job.completion_time:
        return None
    return (job.completion_time - job.enqueue_time).total_seconds()


def _end_of(attempt: Mapping[str, Any]) -> Event:
    number = attempt.get("attempt")
    ended_at = _time(attempt.get("ended_at"))
    return Event(
        name=_text(attempt.get("outcome")) or "ended",
        at=ended_at,
        duration_seconds=_between(_time(attempt.get("started_at")), ended_at),
        attempt=number if isinstance(number, int) else None,
        worker=_text(attempt.get("worker")),
        executor=_text(attempt.get("executor")),
        error_type=_text(attempt.get("error_type")),
        error=_text(attempt.get("error")),
    )


def _last_start(job: Job) -> Event:
    """The start of an attempt that is not in the history: it runs, it was the only one, it was
    given back, or the worker keeps no history."""
    number = None
    if job.status in (JobStatus.ACTIVE, JobStatus.COMPLETED):
        number = job.current_retries + 1
    return Event(name="started", at=job.start_time, attempt=number, worker=job.worker_id)


def _end(job: Job, last: Event | None, began_at: datetime | None) -> Event:
    """The job's end, which is also that of its last attempt if that is in the history."""
    last = last or Event(
        name="",
        at=job.completion_time,
        duration_seconds=_between(began_at, job.completion_time),
        attempt=job.current_retries + 1 if job.status is JobStatus.COMPLETED else None,
        worker=job.worker_id if began_at else None,
    )
    error = job.last_error or last.error if job.status is JobStatus.FAILED else None
    return replace(last, name=job.status.value.lower(), error=error)


def _in_order(events: list[Event]) -> list[Event]:
    keyed, known = [], datetime.min.replace(tzinfo=UTC)
    for event in events:
        # One without a time stays behind the one that it was written after.
        known = event.at or known
        keyed.append((known, event))
    return [event for _, event in sorted(keyed, key=lambda pair: pair[0])]


def _attempts(fields: Mapping[str, str]) -> list[dict[str, Any]]:
    try:
        attempts = msgspec.json.decode(fields.get("attempts") or "[]")
    except (ValueError, RecursionError):
        return []
    entries = attempts if isinstance(attempts, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _time(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return read_time(text.encode())
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
