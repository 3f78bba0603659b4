"""First looks: cheap, many at once, and ready to suspect. Each tells which of what it was shown
deserves an atomic look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rrq.doctor.view import ENDED, WAITING, harmless
from rrq.store.replies import text

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Claim:
    """That a job holds, or waits for, a unique key."""

    unique_key: str
    job_id: str


class FirstLooks:
    """Looks at some jobs, entries or keys at a time.

    Attributes:
        highest_token: the highest lease token that was seen.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self.highest_token = 0

    async def hashes(self, job_ids: Sequence[str]) -> tuple[list[str], list[str]]:
        """Of these jobs, those that do not seem to be where their status says, and those whose
        key seems to hold no hash."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hmget(
                    self._keys.job(job_id), "status", "queue_name", "lease_token", "settled_token"
                )
            answers = await pipeline.execute(raise_on_error=False)
        open_jobs, misfits = [], []
        for job_id, answer in zip(job_ids, answers, strict=True):
            fields = harmless(answer)
            if fields is None:
                misfits.append(job_id)
                continue
            status, queue, *tokens = fields
            for token in tokens:
                self._note_token(token)
            if status is None or text(status) not in ENDED:
                bare = self._keys.bare_queue(text(queue)) if queue else ""
                open_jobs.append((job_id, text(status or b""), bare))
        return await self._places(open_jobs), misfits

    async def _places(self, jobs: Sequence[tuple[str, str, str]]) -> list[str]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for job_id, _, queue in jobs:
                pipeline.pttl(self._keys.job(job_id))
                pipeline.zscore(self._keys.leases, job_id)
                pipeline.zscore(self._keys.queue(queue), job_id)
            answers = [harmless(one) for one in await pipeline.execute(raise_on_error=False)]
        suspects = []
        for number, (job_id, status, _) in enumerate(jobs):
            ttl_ms, lease, place = answers[3 * number : 3 * number + 3]
            is_waiting = status in WAITING and lease is None and place is not None
            is_running = status == "ACTIVE" and lease is not None and place is None
            if ttl_ms >= 0 or not (is_waiting or is_running):
                suspects.append(job_id)
        return suspects

    async def entries(self, queue: str, job_ids: Sequence[str]) -> list[str]:
        """Of these ids in a queue, those that do not seem to belong there alone."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hmget(self._keys.job(job_id), "status", "queue_name")
                pipeline.zscore(self._keys.leases, job_id)
            answers = [harmless(one) for one in await pipeline.execute(raise_on_error=False)]
        suspects = []
        for number, job_id in enumerate(job_ids):
            fields, lease = answers[2 * number : 2 * number + 2]
            status, named = fields or (None, None)
            is_waiting = status is not None and text(status) in WAITING and lease is None
            if not is_waiting or (named and self._keys.bare_queue(text(named)) != queue):
                suspects.append(job_id)
        return suspects

    async def leases(self, job_ids: Sequence[str]) -> list[str]:
        """Of these leased ids, those whose jobs do not seem to run."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hmget(self._keys.job(job_id), "status", "lease_token")
            answers = [harmless(one) for one in await pipeline.execute(raise_on_error=False)]
        return [
            job_id
            for job_id, fields in zip(job_ids, answers, strict=True)
            if not fields or fields[0] != b"ACTIVE" or not fields[1]
        ]

    async def holders(self, unique_keys: Sequence[str]) -> list[Claim]:
        """Of these unique keys, those that their holder does not seem to need."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for unique_key in unique_keys:
                pipeline.get(self._keys.unique(unique_key))
            answers = [harmless(one) for one in await pipeline.execute(raise_on_error=False)]
        claims = [
            Claim(unique_key, text(holder))
            for unique_key, holder in zip(unique_keys, answers, strict=True)
            if holder is not None
        ]
        return await self.claims(claims)

    async def claims(self, claims: Sequence[Claim]) -> list[Claim]:
        """Of these claims, those whose job is gone, has ended, or has another unique key."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for claim in claims:
                pipeline.hmget(self._keys.job(claim.job_id), "status", "job_unique_key")
            answers = [harmless(one) for one in await pipeline.execute(raise_on_error=False)]
        return [
            claim
            for claim, fields in zip(claims, answers, strict=True)
            if reason_against(claim, fields)
        ]

    async def dead(self, job_ids: Sequence[str]) -> tuple[list[str], list[str]]:
        """Of these dead letters, those without a job, and those whose job has not failed."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.type(self._keys.job(job_id))
                pipeline.hmget(self._keys.job(job_id), "status")
            answers = [harmless(one) for one in await pipeline.execute(raise_on_error=False)]
        gone, alive = [], []
        for number, job_id in enumerate(job_ids):
            kind, fields = answers[2 * number : 2 * number + 2]
            if text(kind) == "none":
                gone.append(job_id)
            elif fields and fields[0] not in (None, b"FAILED"):
                alive.append(job_id)
        return gone, alive

    def _note_token(self, token: Any) -> None:
        if token and token.isdigit() and len(token) < _MOST_DIGITS:
            self.highest_token = max(self.highest_token, int(token))


_MOST_DIGITS = 19


def reason_against(claim: Claim, fields: Sequence[bytes | None] | None) -> str | None:
    """Why a job with this status and unique key can have no claim to one; None if it can."""
    if not fields or not any(fields):
        return "its job is gone"
    status, unique_key = fields
    if status is not None and text(status) in ENDED:
        return f"its job is {text(status)}"
    if unique_key is None or text(unique_key) != claim.unique_key:
        return "its job has another key" if unique_key else "its job has no key"
    return None
