"""`JobRequest`: one job that a producer asks for, checked and turned into what Redis is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from os import urandom
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

from rrq.job import Job
from rrq.store.codec import encode_arguments, encode_json
from rrq.store.jobs import Enqueued, NewJob, OnConflict
from rrq.telemetry import EnqueuedJob, FanOut

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.store.keys import Keys


@dataclass(slots=True)
class JobRequest:
    """One job for `enqueue_many`: what `enqueue` takes, its options without the underscore.

    Attributes:
        defer_until: not before this time; a naive datetime means UTC.
        defer_by: not before this long from now: a timedelta, or seconds.
    """

    function_name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    queue_name: str | None = None
    job_id: str | None = None
    unique_key: str | None = None
    max_retries: int | None = None
    job_timeout_seconds: int | None = None
    defer_until: datetime | None = None
    defer_by: timedelta | float | None = None
    result_ttl_seconds: int | None = None
    on_conflict: OnConflict = "skip"
    trace_context: Mapping[str, str] | None = None


def fresh_id() -> str:
    """A random UUID (version 4) as text, in a third of the time that `uuid.uuid4` takes."""
    digits = urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_job(request: JobRequest, job_id: str, settings: RRQSettings, keys: Keys) -> NewJob:
    """The job that a request asks for, as the enqueue step takes it.

    Args:
        job_id: the request's, or one made for this call: a request without an id asks for another
            job each time.

    Raises:
        TypeError: an argument cannot be JSON.
        ValueError: an option makes no sense.
    """
    _check(request)
    args, kwargs = encode_arguments(request.function_name, request.args, request.kwargs)
    queue_name = request.queue_name or settings.default_queue_name
    fields: dict[str, str | bytes | int] = {
        "function_name": request.function_name,
        "job_args": args,
        "job_kwargs": kwargs,
        "queue_name": queue_name,
        "max_retries": _given(request.max_retries, settings.default_max_retries),
        "job_timeout_seconds": _given(
            request.job_timeout_seconds, settings.default_job_timeout_seconds
        ),
        "result_ttl_seconds": _given(
            request.result_ttl_seconds, settings.default_result_ttl_seconds
        ),
    }
    if request.trace_context:
        fields["trace_context"] = encode_json(dict(request.trace_context))
    timed = request.defer_until is not None
    return NewJob(
        job_id=job_id,
        queue=keys.bare_queue(queue_name),
        fields=fields,
        timing="at" if timed else "in",
        timing_ms=_epoch_ms(request.defer_until) if timed else _delay_ms(request.defer_by),
        unique_key=request.unique_key or "",
        unique_ttl_ms=settings.default_unique_job_lock_ttl_seconds * 1000,
        on_conflict=request.on_conflict,
        nonce=uuid4().hex if request.job_id else "",
    )


def queued_job(request: JobRequest, new: NewJob, answer: Enqueued) -> Job:
    """The job as it stands in Redis now, for the producer."""
    fields = new.fields
    return Job(
        id=answer.job_id,
        function_name=request.function_name,
        job_args=list(request.args),
        job_kwargs=dict(request.kwargs),
        enqueue_time=answer.enqueued_at,
        queue_name=str(fields["queue_name"]),
        next_scheduled_run_time=answer.due_at,
        max_retries=int(fields["max_retries"]),
        job_timeout_seconds=int(fields["job_timeout_seconds"]),
        result_ttl_seconds=int(fields["result_ttl_seconds"]),
        job_unique_key=request.unique_key,
        trace_context=dict(request.trace_context) if request.trace_context else None,
    )


@contextmanager
def traced(
    telemetry: FanOut,
    requests: Sequence[JobRequest],
    ids: Sequence[str],
    keys: Keys,
    default_queue_name: str,
) -> Iterator[list[JobRequest]]:
    """The requests with each backend's propagation headers, inside a producer span for each."""
    with ExitStack() as spans:
        carrying = []
        for request, job_id in zip(requests, ids, strict=True):
            subject = EnqueuedJob(
                job_id=job_id,
                function_name=request.function_name,
                queue_name=keys.bare_queue(request.queue_name or default_queue_name),
                trace_context=dict(request.trace_context or {}),
            )
            spans.enter_context(telemetry.enqueue(subject, request.args, request.kwargs))
            carrying.append(replace(request, trace_context=subject.trace_context or None))
        yield carrying


def _check(request: JobRequest) -> None:
    if request.defer_until is not None and request.defer_by is not None:
        raise ValueError("Give `defer_until` or `defer_by`, not both")
    if request.on_conflict not in _CONFLICTS:
        raise ValueError(
            f"`on_conflict` is {request.on_conflict!r}; it can be {', '.join(_CONFLICTS)}"
        )
    for name, value, smallest in (
        ("max_retries", request.max_retries, 1),
        ("job_timeout_seconds", request.job_timeout_seconds, 1),
        ("result_ttl_seconds", request.result_ttl_seconds, 0),
    ):
        if value is not None and value < smallest:
            raise ValueError(f"`{name}` is {value}; the smallest is {smallest}")
    for name, text in (
        ("job_id", request.job_id),
        ("queue_name", request.queue_name),
        ("unique_key", request.unique_key),
    ):
        if text is not None and not text:
            raise ValueError(f"`{name}` is empty: leave it out, or give it a name")
        if text is not None and not _is_utf8(text):
            raise ValueError(f"`{name}` is {text!r}, which UTF-8 cannot write")
    if not _is_utf8(request.function_name):
        raise ValueError(f"`function_name` is {request.function_name!r}, which UTF-8 cannot write")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


def _epoch_ms(time: datetime | None) -> float:
    assert time is not None
    since_epoch = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    # Whole microseconds: `timestamp()` loses some of them.
    return (since_epoch // timedelta(microseconds=1)) / 1000


def _delay_ms(delay: timedelta | float | None) -> float:
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay or 0)
    if not seconds <= MAX_DELAY_SECONDS:
        raise ValueError(f"`defer_by` is {seconds} seconds; the longest is {MAX_DELAY_SECONDS}")
    return max(0.0, seconds * 1000)


_CONFLICTS: tuple[str, ...] = get_args(OnConflict)

MAX_DELAY_SECONDS = 100 * 366 * 86_400
"""A century: what is longer was meant otherwise."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
