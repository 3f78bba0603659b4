"""Second looks: one suspect in one transaction, so that nothing changes between its parts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from rrq.doctor.judgement import Fault, faults_of
from rrq.doctor.keyspace import Keyspace
from rrq.doctor.kinds import Finding
from rrq.doctor.looking import Claim, reason_against
from rrq.doctor.view import harmless, read_views
from rrq.store.replies import text

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys


class SecondLooks:
    """Looks that a server at work cannot deceive."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._keyspace = Keyspace(keys.prefix)

    async def jobs(self, job_ids: Sequence[str], queues: Collection[str]) -> list[Finding]:
        """What is wrong with these jobs, in the light of these queues (bare names)."""
        found = []
        elsewhere: dict[str, str] = {}
        async for view in read_views(self._redis, self._keys, job_ids, sorted(queues)):
            if view.queue is not None and view.queue not in view.looked_in:
                elsewhere[view.job_id] = view.queue
                continue
            found += [self._finding(view.job_id, fault) for fault in faults_of(view)]
        # In a queue that nobody told us of; one that is in another one yet by now is at work.
        for job_id, queue in elsewhere.items():
            async for view in read_views(self._redis, self._keys, [job_id], [*queues, queue]):
                if view.queue == queue:
                    found += [self._finding(job_id, fault) for fault in faults_of(view)]
        return found

    async def holder(self, claim: Claim) -> Finding | None:
        """That a unique key is held by a job that does not need it, if it is."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.get(self._keys.unique(claim.unique_key))
            pipeline.hmget(self._keys.job(claim.job_id), "status", "job_unique_key")
            holder, fields = map(harmless, await pipeline.execute(raise_on_error=False))
        reason = reason_against(claim, fields)
        if reason is None or holder is None or text(holder) != claim.job_id:
            return None
        key = self._keys.unique(claim.unique_key)
        return Finding("unique-without-owner", key, claim.job_id, reason)

    async def held(self, claim: Claim) -> Finding | None:
        """That an id waits for a unique key for no job, if it does."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zscore(self._keys.held(claim.unique_key), claim.job_id)
            pipeline.hmget(self._keys.job(claim.job_id), "status", "job_unique_key")
            place, fields = map(harmless, await pipeline.execute(raise_on_error=False))
        reason = reason_against(claim, fields)
        if reason is None or place is None:
            return None
        return Finding("held-without-job", self._keys.held(claim.unique_key), claim.job_id, reason)

    async def alive(self, dlq: str, job_id: str, from_tail: int) -> Finding | None:
        """That a dead letter has not failed, if it has not.

        Args:
            from_tail: how many entries at the tail it is among. Nothing moves an entry away from
                there, and the list need not be searched beyond.
        """
        key = self._keys.dlq(dlq)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.lpos(key, job_id, rank=-1, maxlen=from_tail)
            pipeline.hmget(self._keys.job(job_id), "status")
            place, fields = map(harmless, await pipeline.execute(raise_on_error=False))
        if place is None or not fields or fields[0] in (None, b"FAILED"):
            return None
        return Finding("dlq-but-alive", key, job_id, f"status {text(fields[0])}")

    async def twice_dead(self, dlq: str, job_id: str, dlqs: Collection[str]) -> Finding | None:
        """That a job is in these dead letter queues more than once, if it is.

        Args:
            dlq: where it was seen, among them.
        """
        names = [dlq, *sorted(name for name in dlqs if name != dlq)]
        async with self._redis.pipeline(transaction=True) as pipeline:
            for name in names:
                pipeline.lpos(self._keys.dlq(name), job_id, count=2)
            places = [harmless(one) or () for one in await pipeline.execute(raise_on_error=False)]
        others = [name for name, found in zip(names[1:], places[1:], strict=True) if found]
        if not places[0] or len(places[0]) + len(others) < 2:
            return None
        detail = f"also in {', '.join(others)}" if others else ""
        # Of two queues nobody knows which is right.
        is_mendable = len(places[0]) > 1
        return Finding("twice-dead", self._keys.dlq(dlq), job_id, detail, is_mendable)

    async def old_lock(self, key: str) -> Finding | None:
        """That a key of RRQ 0.9 is there, if it is, and whether it can be in use."""
        name = self._keyspace.room(key)[1]
        is_lock = key == f"{self._keys.prefix}:lock:job:{name}"
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.pttl(key)
            pipeline.hmget(self._keys.job(name), "status")
            pipeline.zscore(self._keys.leases, name)
            pipeline.pttl(self._keys.health(name))
            ttl_ms, fields, lease, health_ms = map(
                harmless, await pipeline.execute(raise_on_error=False)
            )
        if ttl_ms == -2:
            return None
        if not is_lock:
            is_alive = health_ms != -2
            detail = "its worker shows signs of life" if is_alive else "its worker is gone"
            return Finding("old-lock", key, None, detail, not is_alive)
        status = text(fields[0]) if fields and fields[0] else ""
        in_use = status == "ACTIVE" or (status in ("PENDING", "RETRYING") and ttl_ms >= 0)
        may_be_in_use = in_use and lease is None
        detail = "an old worker may be running the job" if may_be_in_use else "left over"
        return Finding("old-lock", key, name, detail, not may_be_in_use)

    async def types(self, keys: Sequence[str]) -> list[Finding]:
        """Those of these keys that hold another type than they must."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.type(key)
            answers = map(text, await pipeline.execute())
        return [
            Finding("wrong-type", key, None, f"a {kind} instead of a {wanted}", is_mendable=False)
            for key, kind in zip(keys, answers, strict=True)
            if (wanted := self._keyspace.type_of(key)) and kind not in (wanted, "none")
        ]

    async def token(self, highest_seen: int) -> Finding | None:
        """That the counter of lease tokens is lower than one that was seen before, if it is."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.get(self._keys.lease_token)
            [counter_text] = map(harmless, await pipeline.execute(raise_on_error=False))
        counter = _number(counter_text)
        if counter >= highest_seen:
            return None
        detail = f"the counter is at {counter}, the highest token is {highest_seen}"
        return Finding(
            "token-went-back",
            self._keys.lease_token,
            None,
            detail,
            # Far beyond what can be given out: somebody made it up, and the counter has an end.
            is_mendable=highest_seen <= HIGHEST_MENDABLE_TOKEN,
        )

    def _finding(self, job_id: str, fault: Fault) -> Finding:
        room, name = fault.where
        key = {
            "queue": self._keys.queue(name),
            "leases": self._keys.leases,
            "hash": self._keys.job(job_id),
        }[room]
        return Finding(fault.kind, key, job_id, fault.detail, fault.is_mendable)


HIGHEST_MENDABLE_TOKEN = 2**50
"""At 10,000 jobs a second, this is reached in thousands of years."""


def _number(value: bytes | str | None) -> int:
    """A counter as Redis has it; 0 for what is none."""
    return int(value) if value and value.isdigit() else 0
