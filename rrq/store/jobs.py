"""`Jobs`: putting jobs into Redis, and everything that is asked about one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from rrq.exc import DuplicateJob, JobAlreadyRunning, JobNotFound, MalformedJob
from rrq.job import Job, JobStatus
from rrq.store.codec import job_from_hash
from rrq.store.replies import is_wrong_type, text

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.settings import RRQSettings
    from rrq.store.keys import Keys
    from rrq.store.scripts import PreparedCall, Steps

OnConflict = Literal["skip", "raise", "defer", "replace"]
CancelAnswer = Literal["cancelled", "requested", "missing", "COMPLETED", "FAILED", "CANCELLED"]

AWAIT_SECONDS = 60
"""How long Redis remembers that a client waits for a job; the client asks again before."""


@dataclass(slots=True, kw_only=True)
class NewJob:
    """A job on its way into a queue.

    Attributes:
        job_id: its id.
        queue: the queue's bare name.
        timing: whether `timing_ms` is a delay from now, or a point of time since the epoch.
        nonce: marks one call when the caller chose the id; empty for a fresh id.
        unique_ttl_ms: how long the unique key is held beyond the due time.
        fields: what its hash holds beyond the fields that the step itself writes.
    """

    job_id: str
    queue: str
    fields: dict[str, str | bytes | int]
    timing: Literal["in", "at"] = "in"
    timing_ms: float = 0
    unique_key: str = ""
    unique_ttl_ms: int = 21_600_000
    on_conflict: OnConflict = "skip"
    nonce: str = ""


@dataclass(slots=True)
class Enqueued:
    """What became of a `NewJob`: the id it has, or the holder of its unique key.

    Attributes:
        job_id: the queued job's id; for a duplicate, the id of the key's holder.
        is_duplicate: nothing was queued.
        enqueued_at, due_at: by Redis' clock.
    """

    job_id: str
    is_duplicate: bool
    enqueued_at: datetime
    due_at: datetime | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Replay:
    """A new job with the definition of another one.

    Attributes:
        job_id: the new job's id.
        queue: its queue's bare name.
        due_at: by Redis' clock.
        unique_key: what it holds; None if the old job had none, or another holds it.
        holder_id: the job that holds the old job's unique key, if another does.
    """

    job_id: str
    queue: str
    due_at: datetime | None
    unique_key: str | None
    holder_id: str | None


class Jobs:
    """Jobs in Redis, by id."""

    def __init__(self, redis: Redis, steps: Steps, keys: Keys, settings: RRQSettings) -> None:
        self._redis = redis
        self._steps = steps
        self._keys = keys
        self._default_queue = keys.bare_queue(settings.default_queue_name)
        self._default_dlq = keys.bare_dlq(settings.default_dlq_name)
        self._result_ttl_seconds = settings.default_result_ttl_seconds
        self._unique_ttl_ms = settings.default_unique_job_lock_ttl_seconds * 1000

    async def enqueue(self, jobs: Sequence[NewJob]) -> list[Enqueued]:
        """Put jobs into their queues in one step, all or none.

        Raises:
            DuplicateJob: `on_conflict` is "raise" and the unique key is held.
            JobAlreadyRunning: the id is that of a running job.
        """
        return enqueued(await self.put(jobs, self.prepared(jobs)))

    def prepared(self, jobs: Sequence[NewJob]) -> PreparedCall:
        """The call that puts jobs into their queues."""
        arguments: list[str | bytes | int | float] = [self._default_dlq, len(jobs)]
        for job in jobs:
            arguments += described(job)
        return self._steps.prepared("enqueue", *arguments)

    async def put(self, jobs: Sequence[NewJob], call: PreparedCall) -> Any:
        """Put jobs into their queues by a call that was prepared for them; what Redis answers, for
        `enqueued` to read.

        Raises:
            As `enqueue`.
        """
        answer = await self._steps.carry_out(call)
        if len(answer) > 1 and answer[1][0] == b"refused":
            _, index, kind, holder = answer[1]
            if kind == b"running":
                raise JobAlreadyRunning(text(holder))
            raise DuplicateJob(jobs[index].unique_key, text(holder))
        return answer

    async def get(self, job_id: str) -> Job | None:
        """The job, or None if Redis has none of this id.

        Raises:
            MalformedJob: its hash cannot be read.
        """
        fields = await self._hash(job_id)
        return job_from_hash(job_id, fields) if fields else None

    async def get_fields(self, job_id: str) -> dict[str, str]:
        """The hash as it stands, or an empty dict.

        Raises:
            MalformedJob: the job's key holds no hash.
        """
        fields = await self._hash(job_id)
        return {text(name): text(value) for name, value in fields.items()}

    async def get_status(self, job_id: str) -> JobStatus | None:
        """The job's status, or None if there is no such job.

        Raises:
            MalformedJob: it has a status that RRQ does not know.
        """
        status: Any = await self._redis.hget(self._keys.job(job_id), "status")
        return _status(job_id, status) if status else None

    async def cancel(self, job_id: str) -> CancelAnswer:
        """End a waiting job, or ask the worker of a running one to stop it.

        Returns "cancelled", "requested", "missing", or the status that it had ended in before.
        """
        answer = await self._steps.call(
            "cancel",
            job_id,
            self._result_ttl_seconds,
            self._default_queue,
            self._unique_ttl_ms,
        )
        status: CancelAnswer = answer.decode()
        return status

    async def replay(self, job_id: str, queue_name: str | None = None) -> Replay:
        """Enqueue a new job with a job's function, arguments and options, to run now. It gets
        the unique key too, unless another job holds that.

        Args:
            job_id: the old job, whatever its status; it stays as it is.
            queue_name: another queue than the old job's.

        Raises:
            JobNotFound: there is no such job.
            MalformedJob: its hash cannot be read.
        """
        fields = await self._hash(job_id)
        if not fields:
            raise JobNotFound(f"There is no job {job_id}: check the id, or it has expired")
        old = job_from_hash(job_id, fields)
        queue_name = queue_name or old.queue_name or self._default_queue
        new = NewJob(
            job_id=str(uuid4()),
            queue=self._keys.bare_queue(queue_name),
            # As they stand: what is not set stays so, and no argument is written anew.
            fields={
                **{name: fields[name.encode()] for name in _DEFINITION if name.encode() in fields},
                "queue_name": queue_name,
            },
            unique_key=old.job_unique_key or "",
            unique_ttl_ms=self._unique_ttl_ms,
        )
        [answer] = await self.enqueue([new])
        holder_id = None
        if answer.is_duplicate:
            holder_id = answer.job_id
            new = replace(new, unique_key="")
            [answer] = await self.enqueue([new])
        return Replay(answer.job_id, new.queue, answer.due_at, new.unique_key or None, holder_id)

    async def await_end(self, job_id: str, mailbox_name: str) -> JobStatus | None:
        """Have `done <id>` posted to a mailbox when the job ends.

        Returns the job's status now; None if there is no such job.

        Raises:
            MalformedJob: it has a status that RRQ does not know.
        """
        status = await self._steps.call("await", job_id, mailbox_name, AWAIT_SECONDS)
        return _status(job_id, status) if status else None

    async def _hash(self, job_id: str) -> dict[bytes, bytes]:
        try:
            fields: Any = await self._redis.hgetall(self._keys.job(job_id))
        except Exception as error:
            if not is_wrong_type(error):
                raise
            raise MalformedJob(f"Job {job_id}: its key holds no hash") from error
        return fields  # type: ignore[no-any-return]  # redis-py's types are wider


_DEFINITION = (
    "function_name",
    "job_args",
    "job_kwargs",
    "max_retries",
    "job_timeout_seconds",
    "result_ttl_seconds",
    "dlq_name",
)
"""What a producer decides about a job, beside its queue, its unique key and its times."""


def _status(job_id: str, status: bytes) -> JobStatus:
    try:
        return JobStatus(text(status))
    except ValueError as error:
        raise MalformedJob(f"Job {job_id}: the field `status` cannot be read: {error}") from error


def enqueued(answer: Any) -> list[Enqueued]:
    """What became of jobs that were put into their queues."""
    now_ms, *answers = answer
    now = time_from_ms(now_ms)
    return [
        Enqueued(text(one[1]), True, now)
        if one[0] == b"duplicate"
        else Enqueued(text(one[1]), False, now, now if one[2] == now_ms else time_from_ms(one[2]))
        for one in answers
    ]


def described(job: NewJob) -> list[str | bytes | int | float]:
    """A job as the steps that enqueue take it: see `lua/_new_job.lua`."""
    return [
        job.job_id,
        job.queue,
        job.timing,
        repr(job.timing_ms),
        job.unique_key,
        job.unique_ttl_ms,
        job.on_conflict,
        job.nonce,
        len(job.fields),
        *chain.from_iterable(job.fields.items()),
    ]


def time_from_ms(ms: float | str | bytes) -> datetime:
    """Milliseconds since the epoch, as Redis writes a score, as a datetime in UTC."""
    # A score may be any number, infinity included. Split before rounding: a double has too few
    # digits for the microseconds of the far future.
    seconds, rest_ms = divmod(min(max(float(ms), _FIRST_MS), _LAST_MS), 1000)
    return _EPOCH + timedelta(0, int(seconds), round(rest_ms * 1000))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999
"""The first and the last moment that a datetime can name."""
