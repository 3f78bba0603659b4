"""`Driver`: the atomic steps with few words, and looks at what they left in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import uuid4

from msgspec import Raw
from redis.asyncio import Redis

from rrq.settings import RRQSettings
from rrq.store.claim import Claim
from rrq.store.jobs import Enqueued, NewJob, OnConflict
from rrq.store.leases import Claimed
from rrq.store.replies import text, texts
from rrq.store.store import JobStore
from rrq.store.verdict import SettleAnswer, Verdict, VerdictKind

WORKER = "rrq_worker_1"
OTHER_WORKER = "rrq_worker_2"


def new_job(
    job_id: str | None = None,
    *,
    queue: str = "default",
    unique_key: str = "",
    unique_ttl_ms: int = 60_000,
    on_conflict: OnConflict = "skip",
    delay_ms: float = 0,
    at_ms: float | None = None,
    nonce: str | None = None,
    **fields: str | bytes | int,
) -> NewJob:
    """A job as a client sends it: with a nonce if it has an id of its own."""
    timing: Literal["in", "at"] = "in" if at_ms is None else "at"
    return NewJob(
        job_id=job_id or str(uuid4()),
        queue=queue,
        fields={
            "function_name": "greet",
            "job_args": "[]",
            "job_kwargs": "{}",
            "queue_name": queue,
            "max_retries": 3,
            "job_timeout_seconds": 30,
            "result_ttl_seconds": 100,
            **fields,
        },
        timing=timing,
        timing_ms=delay_ms if at_ms is None else at_ms,
        unique_key=unique_key,
        unique_ttl_ms=unique_ttl_ms,
        on_conflict=on_conflict,
        nonce=(uuid4().hex if job_id else "") if nonce is None else nonce,
    )


def verdict(
    claim: Claim,
    kind: VerdictKind,
    said: str | Raw = "",
    number: float = 0,
    attempt: bytes = b"",
    token: int | None = None,
) -> Verdict:
    """What a worker sends for a claim; `said` is its text."""
    if kind == "complete" and said == "":
        said = Raw(b"null")
    return Verdict(
        job_id=claim.job_id,
        token=claim.token if token is None else token,
        kind=kind,
        queue=claim.queue,
        text=said,
        number=number,
        attempt=attempt,
        function_name=claim.function_name if claim.is_plain else None,
    )


class Driver:
    """One RRQ on the shared server, emptied for the test."""

    def __init__(self, settings: RRQSettings) -> None:
        self.settings = settings
        self.store = JobStore(settings)
        self.redis: Redis = self.store.redis
        self.keys = self.store.keys

    async def enqueue(self, job_id: str | None = None, **options: Any) -> Enqueued:
        """Send one job: see `new_job`."""
        [answer] = await self.store.jobs.enqueue([new_job(job_id, **options)])
        return answer

    async def claim_call(
        self, worker: str = WORKER, queues: Sequence[str] = ("default",), room: int = 10
    ) -> Claimed:
        """One claim, with all that it answers."""
        return await self.store.leases.claim(worker, queues, room, park_ms=10_000)

    async def claim(
        self, worker: str = WORKER, queues: Sequence[str] = ("default",), room: int = 10
    ) -> list[Claim]:
        """The jobs that one claim brings."""
        return (await self.claim_call(worker, queues, room)).claims

    async def running(self, job_id: str | None = None, **options: Any) -> Claim:
        """A job that was enqueued and claimed."""
        await self.enqueue(job_id, **options)
        [claim] = await self.claim(queues=[options.get("queue", "default")])
        return claim

    async def settle(
        self, claim: Claim, kind: VerdictKind, *said: Any, **more: Any
    ) -> SettleAnswer:
        """One verdict: see `verdict`."""
        [answer] = await self.store.leases.settle([verdict(claim, kind, *said, **more)])
        return answer

    # -- the course of time ---------------------------------------------------------------

    async def now_ms(self) -> float:
        """Redis' clock."""
        seconds, micros = await self.redis.time()
        return float(seconds * 1000 + micros / 1000)

    async def expire_lease(self, job_id: str) -> None:
        """As if the job's lease had run out a second ago."""
        await self.redis.zadd(self.keys.leases, {job_id: await self.now_ms() - 1000}, xx=True)

    async def make_due(self, job_id: str, queue: str = "default") -> None:
        """As if the time that the job waits for had come."""
        await self.redis.zadd(self.keys.queue(queue), {job_id: await self.now_ms()}, xx=True)

    # -- looks ----------------------------------------------------------------------------

    async def hash(self, job_id: str) -> dict[str, str]:
        """The job's hash."""
        return await self.store.jobs.get_fields(job_id)

    async def status(self, job_id: str) -> str | None:
        """The job's status as it is written."""
        return (await self.hash(job_id)).get("status")

    async def waiting(self, queue: str = "default") -> list[str]:
        """Ids in a queue, by due time."""
        return await self.store.queues.waiting_ids(queue)

    async def due_ms(self, job_id: str, queue: str = "default") -> float | None:
        """When the job is due."""
        due: float | None = await self.redis.zscore(self.keys.queue(queue), job_id)
        return due

    async def leased(self) -> list[str]:
        """Ids in the lease set."""
        return texts(await self.redis.zrange(self.keys.leases, 0, -1))

    async def dead(self, dlq: str = "default") -> list[str]:
        """Ids in a dead letter queue, the newest first."""
        return await self.store.dead_letters.ids(dlq)

    async def ttl_seconds(self, job_id: str) -> int:
        """The TTL of the job's hash; -1 if it has none, -2 if there is no hash."""
        return int(await self.redis.ttl(self.keys.job(job_id)))

    async def holder(self, unique_key: str) -> str | None:
        """Who holds a unique key."""
        return await self.store.get_unique_lock_holder(unique_key)

    async def mail(self, reader: str) -> list[str]:
        """The messages in a mailbox, taken out of it."""
        key = self.keys.mailbox(reader)
        messages = texts(await self.redis.lrange(key, 0, -1))
        await self.redis.delete(key)
        return messages

    async def parked(self, queue: str = "default") -> list[str]:
        """Ids of the workers parked on a queue."""
        return sorted(texts(await self.redis.zrange(self.keys.idle(queue), 0, -1)))

    async def all_keys(self) -> set[str]:
        """The name of every key in Redis."""
        return {text(key) for key in await self.redis.keys("*")}
