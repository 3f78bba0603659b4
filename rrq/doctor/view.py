"""`JobView`: all that concerns one job's place, as it was at one moment; `read_views` reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rrq.doctor.keyspace import old_lock_key
from rrq.store.replies import is_wrong_type, text

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys

FIELDS = ("status", "queue_name", "lease_token", "job_unique_key", "next_scheduled_run_time")

COMMANDS_AT_ONCE = 1000
"""How many commands a transaction has at most: about a millisecond of Redis."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job and every place that it is in, read in one transaction.

    Attributes:
        type: of the job's key: `hash`, `none`, or something that is no job.
        status, queue, lease_token, unique_key, due: of its hash; None if not set. The queue's
            name is bare, `due` is `next_scheduled_run_time`.
        has_ttl: whether its hash expires.
        is_leased: whether it is in the lease set.
        places: the bare names of the queues that it waits in.
        looked_in: those that were asked.
        has_old_lock: whether it has a lock of RRQ 0.9.
    """

    job_id: str
    type: str
    status: str | None
    queue: str | None
    lease_token: str | None
    unique_key: str | None
    due: str | None
    has_ttl: bool
    is_leased: bool
    places: tuple[str, ...]
    looked_in: tuple[str, ...]
    has_old_lock: bool

    @property
    def has_ended(self) -> bool:
        """Whether it will not run again."""
        return self.status in ENDED


WAITING = ("PENDING", "RETRYING")
ENDED = ("COMPLETED", "FAILED", "CANCELLED")


async def read_views(
    redis: Redis, keys: Keys, job_ids: Sequence[str], queues: Sequence[str]
) -> AsyncGenerator[JobView, None]:
    """A view of each job; those of one job's parts were all true at the same moment.

    Args:
        queues: bare names of the queues to look in.
    """
    looked_in = tuple(dict.fromkeys(queues))
    each = 5 + len(looked_in)
    at_once = max(1, COMMANDS_AT_ONCE // each)
    for start in range(0, len(job_ids), at_once):
        ids = job_ids[start : start + at_once]
        async with redis.pipeline(transaction=True) as pipeline:
            for job_id in ids:
                key = keys.job(job_id)
                pipeline.type(key)
                pipeline.hmget(key, FIELDS)
                pipeline.pttl(key)
                pipeline.zscore(keys.leases, job_id)
                pipeline.pttl(old_lock_key(keys.prefix, job_id))
                for queue in looked_in:
                    pipeline.zscore(keys.queue(queue), job_id)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for number, job_id in enumerate(ids):
            parts = [harmless(one) for one in answers[each * number : each * (number + 1)]]
            yield _view(keys, job_id, parts, looked_in)


def harmless(answer: Any) -> Any:
    """The answer of one command of a pipeline; None if its key is of another type.

    Raises:
        redis.exceptions.RedisError: any other error.
    """
    if isinstance(answer, Exception):
        if not is_wrong_type(answer):
            raise answer
        return None
    return answer


def _view(keys: Keys, job_id: str, parts: list[Any], looked_in: tuple[str, ...]) -> JobView:
    kind, fields, ttl_ms, lease, old_lock_ms, *scores = parts
    status, queue, token, unique_key, due = (
        text(value) if value else None for value in fields or [None] * len(FIELDS)
    )
    return JobView(
        job_id=job_id,
        type=text(kind),
        status=status,
        queue=keys.bare_queue(queue) if queue else None,
        lease_token=token,
        unique_key=unique_key,
        due=due,
        has_ttl=ttl_ms >= 0,
        is_leased=lease is not None,
        places=tuple(
            name for name, score in zip(looked_in, scores, strict=True) if score is not None
        ),
        looked_in=looked_in,
        has_old_lock=old_lock_ms != -2,
    )
