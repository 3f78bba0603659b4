"""`examine`: look through all keys of one RRQ, in small steps that change nothing.

First every key, then every queue, the leases, the dead letters and the unique keys; what seems
wrong is confirmed at once, and what is confirmed is looked at once more at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rrq.doctor.confirming import SecondLooks
from rrq.doctor.keyspace import Keyspace
from rrq.doctor.kinds import Finding
from rrq.doctor.looking import Claim, FirstLooks
from rrq.doctor.walking import AT_ONCE, Progress, Walks, silently
from rrq.wording import counted

if TYPE_CHECKING:
    from rrq.store.store import JobStore

PATIENCE_SECONDS = 6.0
"""How long a suspect has to turn out right: a plain producer, which writes a job in two steps, has
five seconds for that."""


@dataclass(slots=True)
class Counts:
    """How many keys, job hashes, ids in queues, leases and dead letters were looked at."""

    keys: int = 0
    jobs: int = 0
    queued: int = 0
    leased: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found.

    Attributes:
        findings: what is wrong, in the order in which it was met.
        is_complete: whether everything was looked at; not if the limit was reached before.
        looked_at: how much that is.
        queues: the bare names of all queues that there are.
        highest_token: the highest lease token that was seen.
    """

    findings: tuple[Finding, ...]
    is_complete: bool
    looked_at: Counts
    queues: frozenset[str]
    highest_token: int = 0


async def examine(
    store: JobStore,
    *,
    limit: int | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    progress: Progress = silently,
) -> Examination:
    """Examine all that is there.

    Args:
        limit: stop when so many findings are confirmed.
        patience_seconds: how long a suspect has to turn out right. Waited only if there is one.

    Raises:
        redis.exceptions.RedisError: Redis went away, or refuses.
    """
    return await _Examiner(store, limit, patience_seconds, progress).run()


class _LimitReached(Exception):
    """There are as many findings as were wanted."""


@dataclass(slots=True)
class _Rooms:
    """The names of what is walked through after the keys."""

    queues: set[str] = field(default_factory=set)
    dlqs: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)


class _Examiner:
    """One examination."""

    def __init__(
        self, store: JobStore, limit: int | None, patience_seconds: float, progress: Progress
    ) -> None:
        self._redis = store.redis
        self._keys = store.keys
        self._settings = store.settings
        self._limit = limit
        self._patience_seconds = patience_seconds
        self._progress = progress
        self._keyspace = Keyspace(store.keys.prefix)
        self._walks = Walks(store, progress)
        self._first = FirstLooks(store.redis, store.keys)
        self._second = SecondLooks(store.redis, store.keys)
        self._counts = Counts()
        self._rooms = _Rooms()
        self._expired: dict[str, set[str]] = {}
        # Hashes of ids, which take less memory: what they mistake is confirmed in any case.
        self._dead: set[int] = set()
        self._found: dict[tuple[str, str, str | None], Finding] = {}
        self._last_found_at = 0.0

    async def run(self) -> Examination:
        """Look at everything, and once more at what is wrong."""
        is_complete = True
        try:
            await self._look_at_everything()
        except _LimitReached:
            is_complete = False
        findings = await self._still_wrong()
        queues = frozenset(self._rooms.queues)
        token = self._first.highest_token
        return Examination(tuple(findings), is_complete, self._counts, queues, token)

    async def _look_at_everything(self) -> None:
        settings = self._settings
        configured = [settings.default_queue_name, *settings.executor_routes]
        self._rooms.queues |= {
            *await self._walks.names(self._keys.queues),
            *map(self._keys.bare_queue, configured),
        }
        async with aclosing(self._walks.keys(self._keyspace.pattern)) as walk:
            async for keys in walk:
                await self._look_at_keys(keys)
        for queue in sorted(self._rooms.queues):
            await self._look_at_queue(queue)
        await self._look_at_leases()
        for dlq in sorted(self._rooms.dlqs):
            await self._look_at_dlq(dlq)
        for unique_key in sorted(self._rooms.held):
            await self._look_at_held(unique_key)
        self._take(await self._second.token(self._first.highest_token))

    # -- first looks --------------------------------------------------------------------

    async def _look_at_keys(self, keys: Sequence[str]) -> None:
        self._counts.keys += len(keys)
        # Of a job, its hash is read anyway.
        of_jobs = {key for key in keys if self._keyspace.room(key)[0] == "job"}
        wrong = await self._second.types([key for key in keys if key not in of_jobs])
        self._take(wrong)
        broken = {finding.key for finding in wrong}
        jobs: list[str] = []
        unique_keys: list[str] = []
        for key in keys:
            room, name = self._keyspace.room(key)
            if key in broken:
                continue
            if room == "job":
                jobs.append(name)
            elif room == "unique":
                unique_keys.append(name)
            elif room == "queue":
                self._rooms.queues.add(name)
            elif room == "dlq":
                self._rooms.dlqs.add(name)
            elif room == "held":
                self._rooms.held.add(name)
            elif room == "old lock":
                self._take(await self._second.old_lock(key))
        self._counts.jobs += len(jobs)
        suspects, misfits = await self._first.hashes(jobs)
        await self._confirm_jobs(suspects)
        self._take(await self._second.types(list(map(self._keys.job, misfits))))
        for claim in await self._first.holders(unique_keys):
            self._take(await self._second.holder(claim))

    async def _look_at_queue(self, queue: str) -> None:
        walk = self._walks.members(self._keys.queue(queue), f"Looking at queue {queue}")
        async with aclosing(walk):
            async for ids in walk:
                self._counts.queued += len(ids)
                await self._confirm_jobs(await self._first.entries(queue, ids))

    async def _look_at_leases(self) -> None:
        async with aclosing(self._walks.members(self._keys.leases, "Looking at leases")) as walk:
            async for ids in walk:
                self._counts.leased += len(ids)
                await self._confirm_jobs(await self._first.leases(ids))

    async def _look_at_held(self, unique_key: str) -> None:
        walk = self._walks.members(self._keys.held(unique_key), "Looking at unique keys")
        async with aclosing(walk):
            async for ids in walk:
                claims = [Claim(unique_key, job_id) for job_id in ids]
                for claim in await self._first.claims(claims):
                    self._take(await self._second.held(claim))

    async def _look_at_dlq(self, dlq: str) -> None:
        expired = self._expired.setdefault(dlq, set())
        seen = 0
        async with aclosing(self._walks.dead_letters(dlq)) as walk:
            async for ids in walk:
                seen += len(ids)
                self._counts.dead += len(ids)
                gone, alive = await self._first.dead(ids)
                expired.update(gone)
                for job_id in alive:
                    self._take(await self._second.alive(dlq, job_id, seen))
                await self._look_for_twice_dead(dlq, [one for one in ids if one not in expired])
        if expired:
            # One finding for all, for an old dead letter queue has many.
            self._take(self._expired_letters(dlq, len(expired)))

    async def _look_for_twice_dead(self, dlq: str, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            if hash(job_id) in self._dead:
                self._take(await self._second.twice_dead(dlq, job_id, self._rooms.dlqs))
            self._dead.add(hash(job_id))

    def _expired_letters(self, dlq: str, count: int) -> Finding:
        detail = counted(count, "entry", "entries")
        return Finding("dlq-without-hash", self._keys.dlq(dlq), None, detail, count=count)

    # -- findings -----------------------------------------------------------------------

    async def _confirm_jobs(self, suspects: Sequence[str]) -> None:
        if suspects:
            self._take(await self._second.jobs(suspects, self._rooms.queues))

    def _take(self, findings: Iterable[Finding] | Finding | None) -> None:
        some = [findings] if isinstance(findings, Finding) else findings or ()
        for finding in some:
            self._found.setdefault(finding.identity, finding)
            self._last_found_at = asyncio.get_running_loop().time()
        if self._limit is not None and len(self._found) >= self._limit:
            raise _LimitReached

    async def _still_wrong(self) -> list[Finding]:
        """What is wrong still, when everybody has had the time to set it right."""
        if not self._found:
            return []
        first = list(self._found.values())[: self._limit]
        until = self._last_found_at + self._patience_seconds
        with self._progress(len(first), "Looking again at what seems wrong") as advance:
            await asyncio.sleep(max(0.0, until - asyncio.get_running_loop().time()))
            again: dict[tuple[str, str, str | None], Finding] = {}
            for start in range(0, len(first), AT_ONCE):
                some = first[start : start + AT_ONCE]
                for finding in await self._look_again(some):
                    again[finding.identity] = finding
                advance(len(some))
        return [again[finding.identity] for finding in first if finding.identity in again]

    async def _look_again(self, findings: Sequence[Finding]) -> list[Finding]:
        """All that is wrong with what these findings are about."""
        about_jobs: dict[str, None] = {}
        found: list[Finding | None] = []
        for finding in findings:
            _, name = self._keyspace.room(finding.key)
            match finding.kind:
                case "unique-without-owner":
                    found.append(await self._second.holder(Claim(name, finding.job_id or "")))
                case "held-without-job":
                    found.append(await self._second.held(Claim(name, finding.job_id or "")))
                case "dlq-without-hash":
                    found.append(await self._expired_still(name))
                case "dlq-but-alive":
                    length = await self._redis.llen(finding.key)
                    found.append(await self._second.alive(name, finding.job_id or "", length))
                case "twice-dead":
                    job_id, dlqs = finding.job_id or "", self._rooms.dlqs
                    found.append(await self._second.twice_dead(name, job_id, dlqs))
                case "old-lock":
                    found.append(await self._second.old_lock(finding.key))
                case "wrong-type":
                    found += await self._second.types([finding.key])
                case "token-went-back":
                    found.append(await self._second.token(self._first.highest_token))
                case _:
                    about_jobs[finding.job_id or ""] = None
        if about_jobs:
            # Queues that came into being meanwhile count, too.
            self._rooms.queues |= await self._walks.names(self._keys.queues)
            found += await self._second.jobs(list(about_jobs), self._rooms.queues)
        return [finding for finding in found if finding is not None]

    async def _expired_still(self, dlq: str) -> Finding | None:
        """The dead letters that had no job at the first look and have none now."""
        known, gone = self._expired[dlq], 0
        async with aclosing(self._walks.dead_letters(dlq)) as walk:
            async for ids in walk:
                looked_at = [job_id for job_id in ids if job_id in known]
                gone += len((await self._first.dead(looked_at))[0])
        return self._expired_letters(dlq, gone) if gone else None
