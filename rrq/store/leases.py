"""`Leases`: the steps that a worker takes with jobs that it holds, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from msgspec import Raw

from rrq.store.claim import Claim, Limits, claims_from_reply
from rrq.store.replies import text, texts
from rrq.store.verdict import SettleAnswer, Verdict

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.settings import RRQSettings
    from rrq.store.keys import Keys
    from rrq.store.line import Line
    from rrq.store.scripts import Steps

DLQ_TTL_SECONDS = 7 * 86_400
"""How long the hash of a dead-lettered job stays."""

MAX_CLAIM_BYTES = 4 * 1024 * 1024
"""How many bytes of arguments one claim brings at most, beyond its first job."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one claim brought.

    Attributes:
        claims: the leased jobs.
        now_ms: Redis' clock.
        next_due_ms: when the first job that still waits becomes due; None if none waits.
        dropped: ids that stood in a queue without being a job.
        turned_away: jobs for a full executor, moved back a little in their queue.
    """

    claims: list[Claim]
    now_ms: float
    next_due_ms: float | None
    dropped: list[str] = field(default_factory=list)
    turned_away: list[TurnedAway] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A due job whose executor is full, by its queue's bare name; `due_ms` is when it comes back,
    as Redis writes it."""

    executor: str
    queue: str
    job_id: str
    due_ms: str


@dataclass(frozen=True, slots=True)
class ExecutorRoom:
    """What a claim may bring for one executor.

    Attributes:
        room: the most jobs.
        is_full: its jobs are moved back in their queue, so that they hide no others; else they
            are passed over where they are.
        turned_away: how many were moved back since it last started a job; the more, the longer.
    """

    name: str
    room: int
    is_full: bool
    turned_away: int


@dataclass(frozen=True, slots=True)
class Rooms:
    """How a claim is divided among several executors.

    Attributes:
        executors: each executor's room.
        by_queue: by bare name, the executor of a queue's jobs that name none.
        recall: jobs that were turned away and may come back now.
    """

    executors: Sequence[ExecutorRoom] = ()
    by_queue: Mapping[str, str] = field(default_factory=dict)
    recall: Sequence[TurnedAway] = ()


ANY_ROOM = Rooms()
"""One executor for all jobs, or a routing that Redis cannot know: only the total counts."""


@dataclass(frozen=True, slots=True)
class Reaped:
    """A lease that ran out, and what became of its job."""

    job_id: str
    became: Literal["queued", "dead", "cancelled", "gone"]
    worker_id: str


@dataclass(frozen=True, slots=True)
class OwnedLease:
    """A lease that Redis says a worker holds."""

    job_id: str
    token: int
    queue: str


class Leases:
    """Claim, settle, renew, reap: see the Lua file of each for what it keeps true."""

    def __init__(self, redis: Redis, steps: Steps, keys: Keys, settings: RRQSettings) -> None:
        self._redis = redis
        self._keys = keys
        self._steps = steps
        self._lease_ms = round(settings.lease_seconds * 1000)
        self._unique_ttl_ms = settings.default_unique_job_lock_ttl_seconds * 1000
        self._limits = Limits(
            max_retries=settings.default_max_retries,
            timeout_seconds=settings.default_job_timeout_seconds,
            max_lost=settings.max_lost,
        )
        self._default_queue = keys.bare_queue(settings.default_queue_name)
        self._ends = (
            keys.bare_dlq(settings.default_dlq_name),
            settings.default_result_ttl_seconds,
            DLQ_TTL_SECONDS,
            settings.max_lost,
            self._unique_ttl_ms,
        )

    async def claim(
        self,
        worker_id: str,
        queues: Sequence[str],
        room: int,
        *,
        park_ms: int,
        rooms: Rooms = ANY_ROOM,
        line: Line | None = None,
    ) -> Claimed:
        """Lease up to `room` due jobs of these queues (bare names, the most urgent first), and
        for each executor no more than `rooms` says.

        When none is due the worker is parked on them for `park_ms`, and is woken through its
        mailbox.

        Args:
            line: where to send it, if not with all other steps.
        """
        arguments: list[str | int] = [len(rooms.executors)]
        for one in rooms.executors:
            arguments += (one.name, one.room, int(one.is_full), one.turned_away)
        arguments.append(len(rooms.recall))
        for job in rooms.recall:
            arguments += (job.queue, job.job_id, job.due_ms)
        for queue in queues:
            arguments += (queue, rooms.by_queue.get(queue, ""))
        steps = self._steps.over(line) if line else self._steps
        answer = await steps.call(
            "claim",
            worker_id,
            self._lease_ms,
            room,
            MAX_CLAIM_BYTES,
            park_ms,
            self._unique_ttl_ms,
            *arguments,
        )
        now_ms, next_due_ms, jobs, dropped, turned_away, started, first_token = answer
        claimed_ms = float(now_ms)
        return Claimed(
            claims=claims_from_reply(
                jobs or (), first_token, claimed_ms, started.decode(), self._limits
            ),
            now_ms=claimed_ms,
            next_due_ms=float(next_due_ms) if next_due_ms else None,
            dropped=[job_id.decode(errors="replace") for job_id in dropped or ()],
            turned_away=[TurnedAway(*texts(job)) for job in turned_away or ()],
        )

    async def settle(self, verdicts: Sequence[Verdict]) -> list[SettleAnswer]:
        """Apply verdicts in one step; one answer for each, in order. May be sent again."""
        plain: dict[tuple[str, str], list[int]] = {}
        others: list[int] = []
        for place, verdict in enumerate(verdicts):
            if verdict.function_name is None or verdict.kind != "complete":
                others.append(place)
            else:
                plain.setdefault((verdict.queue, verdict.function_name), []).append(place)
        arguments: list[str | bytes | int | float] = [*self._ends, len(plain)]
        for (queue, function_name), places in plain.items():
            arguments += (queue, function_name, len(places))
            for place in places:
                verdict = verdicts[place]
                run_us = round(verdict.run_ms * 1000)
                arguments += (verdict.job_id, verdict.token, _said(verdict), run_us)
        for place in others:
            verdict = verdicts[place]
            arguments += (
                verdict.job_id,
                verdict.token,
                verdict.kind,
                verdict.queue,
                _said(verdict),
                verdict.number,
                verdict.attempt,
                round(verdict.run_ms * 1000),
            )
        replies = await self._steps.call("settle", *arguments)
        in_order = [place for places in (*plain.values(), others) for place in places]
        answers = dict(zip(in_order, replies, strict=True))
        return [answers[place].decode() for place in range(len(verdicts))]

    async def renew(
        self, held: Iterable[tuple[str, int]]
    ) -> list[tuple[str, Literal["lost", "cancel"]]]:
        """Extend leases (job id, token); tells those that were lost or are to be cancelled."""
        arguments: list[str | int] = [self._lease_ms]
        for job_id, token in held:
            arguments += (job_id, token)
        if len(arguments) == 1:
            return []
        changed = await self._steps.call("renew", *arguments)
        return [(text(job_id), what.decode()) for job_id, what in changed]

    async def any_held(self) -> bool:
        """Whether anybody holds a lease: a cheap question, for one who asks every second."""
        return bool(await self._redis.exists(self._keys.leases))

    async def reap(self, limit: int = 100) -> list[Reaped]:
        """Requeue jobs whose lease ran out, or dead-letter those that were lost too often."""
        reaped = await self._steps.call("reap", limit, *self._ends, self._default_queue)
        return [
            Reaped(
                job_id.decode(errors="replace"), became.decode(), worker.decode(errors="replace")
            )
            for job_id, became, worker in reaped
        ]

    async def owned(self, worker_id: str) -> list[OwnedLease]:
        """Every lease that Redis says this worker holds, read in bounded steps."""
        owned: dict[str, OwnedLease] = {}
        offset, window = 0, 500
        while True:
            seen, found = await self._steps.call("owned", worker_id, offset, window)
            for job_id, token, queue in found:
                lease = OwnedLease(text(job_id), int(token), text(queue))
                owned[lease.job_id] = lease
            if seen < window:
                return list(owned.values())
            # Leases that end meanwhile shift the rest forward: overlap the windows.
            offset += window // 2

    async def report_progress(self, reports: Iterable[tuple[str, int, bytes]]) -> None:
        """Keep progress (job id, token, JSON) of running jobs."""
        arguments: list[str | int | bytes] = [part for report in reports for part in report]
        if arguments:
            await self._steps.call("progress", *arguments)


def _said(verdict: Verdict) -> str | bytes:
    return bytes(verdict.text) if isinstance(verdict.text, Raw) else verdict.text
