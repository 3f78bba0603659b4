"""`repair`: mend what was found, one atomic step for each job, each of which looks again first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rrq.doctor.examination import Examination
from rrq.doctor.judgement import Correction, Return, faults_of, remedy_for
from rrq.doctor.keyspace import Keyspace
from rrq.doctor.kinds import Finding
from rrq.doctor.view import JobView, read_views
from rrq.doctor.walking import Progress, silently
from rrq.store.codec import read_time
from rrq.store.dead_letter import Wanted
from rrq.store.leases import DLQ_TTL_SECONDS
from rrq.store.scripts import Steps

if TYPE_CHECKING:
    from rrq.store.store import JobStore

MOST_TRIES = 3
"""How often a repair is tried of a job that changes between the look and the step."""

NONE_OF_THEM = Wanted(since=datetime.max.replace(tzinfo=UTC))
"""No dead letter failed so late: a sweep for these removes entries without a job and nothing
else."""


async def repair(
    store: JobStore, examination: Examination, *, progress: Progress = silently
) -> list[Finding]:
    """Mend what can be mended safely of what was found; those of the findings that were mended.

    A finding that is true no longer, by now, is left alone and not among them.

    Raises:
        redis.exceptions.RedisError: Redis went away, or refuses. What was mended stays so.
    """
    return await _Repair(store, examination).run(examination.findings, progress)


class _Repair:
    """One repair."""

    def __init__(self, store: JobStore, examination: Examination) -> None:
        self._store = store
        self._keys = store.keys
        self._queues = examination.queues
        self._highest_token = examination.highest_token
        self._keyspace = Keyspace(store.keys.prefix)
        self._steps = Steps(store.redis, store.settings.key_prefix)
        settings = store.settings
        self._unique_ttl_ms = settings.default_unique_job_lock_ttl_seconds * 1000
        self._default_queue = store.keys.bare_queue(settings.default_queue_name)
        self._ends = (
            store.keys.bare_dlq(settings.default_dlq_name),
            settings.default_result_ttl_seconds,
            DLQ_TTL_SECONDS,
            settings.max_lost,
            self._unique_ttl_ms,
        )

    async def run(self, findings: Iterable[Finding], progress: Progress) -> list[Finding]:
        """Mend them, all of one job's at once."""
        groups: dict[tuple[str, str], list[Finding]] = {}
        for finding in findings:
            if finding.remedy:
                about_job = finding.kind not in _ABOUT_KEYS
                where = ("job", finding.job_id or "") if about_job else (finding.key, finding.kind)
                groups.setdefault(where, []).append(finding)
        mended: list[Finding] = []
        with progress(len(groups), "Mending") as advance:
            for (room, _), group in groups.items():
                if room == "job":
                    mended += await self._mend_job(group)
                else:
                    mended += [one for one in group if await self._mend_key(one)]
                advance(1)
        return mended

    # -- a job --------------------------------------------------------------------------

    async def _mend_job(self, findings: Sequence[Finding]) -> list[Finding]:
        job_id, kinds = findings[0].job_id or "", {finding.kind for finding in findings}
        for _ in range(MOST_TRIES):
            view = await self._view(job_id)
            remedy = remedy_for(view, kinds)
            if remedy is None:
                return []
            if isinstance(remedy, Correction):
                is_mended = await self._correct(view, remedy)
            else:
                is_mended = await self._bring_back(view, remedy)
            if is_mended:
                wrong = {fault.kind for fault in faults_of(view)}
                return [finding for finding in findings if finding.kind in wrong]
        return []

    async def _view(self, job_id: str) -> JobView:
        view = await self._view_in(job_id, self._queues)
        if view.queue is not None and view.queue not in view.looked_in:
            view = await self._view_in(job_id, {*self._queues, view.queue})
        return view

    async def _view_in(self, job_id: str, queues: Collection[str]) -> JobView:
        views = read_views(self._store.redis, self._keys, [job_id], sorted(queues))
        [view] = [one async for one in views]
        return view

    async def _correct(self, view: JobView, shall: Correction) -> bool:
        return bool(
            await self._steps.call(
                "mend_place",
                *_as_seen(view, shall.leave),
                _flag(shall.leave_leases),
                shall.status or "",
                shall.queue or "",
                _flag(shall.persist),
            )
        )

    async def _bring_back(self, view: JobView, how: Return) -> bool:
        return bool(
            await self._steps.call(
                "mend_lost",
                *_as_seen(view),
                _flag(how.is_lost),
                view.queue or self._default_queue,
                _due_ms(view),
                *self._ends,
            )
        )

    # -- a key --------------------------------------------------------------------------

    async def _mend_key(self, finding: Finding) -> bool:
        _, name = self._keyspace.room(finding.key)
        job_id = finding.job_id or ""
        arguments: tuple[str, *tuple[str | int, ...]]
        match finding.kind:
            case "unique-without-owner":
                arguments = ("mend_unique", name, job_id, self._unique_ttl_ms)
            case "held-without-job":
                arguments = ("mend_held", name, job_id)
            case "dlq-without-hash":
                return await self._remove_expired(name)
            case "dlq-but-alive":
                arguments = ("mend_dead_letter", name, job_id)
            case "twice-dead":
                arguments = ("mend_twice_dead", name, job_id)
            case "old-lock":
                arguments = ("mend_old_lock", "job" if finding.job_id else "worker", name)
            case _:
                arguments = ("mend_token", self._highest_token)
        return bool(await self._steps.call(*arguments))

    async def _remove_expired(self, dlq: str) -> bool:
        removed = 0
        async for step in self._store.dead_letters.sweep(dlq, "delete", NONE_OF_THEM):
            removed += step.expired
        return removed > 0


_ABOUT_KEYS = {
    "unique-without-owner",
    "held-without-job",
    "dlq-without-hash",
    "dlq-but-alive",
    "twice-dead",
    "old-lock",
    "token-went-back",
}
"""Kinds that are mended one by one; what is wrong with a job's place is mended at once."""


def _as_seen(view: JobView, leave: Collection[str] = ()) -> list[str | int]:
    """The job as it was seen, as `lua/_as_seen.lua` takes it."""
    arguments: list[str | int] = [
        view.job_id,
        view.type,
        view.status or "",
        view.queue or "",
        view.lease_token or "",
        _flag(view.is_leased),
        _flag(view.has_ttl),
        _flag(view.has_old_lock),
        len(view.looked_in),
    ]
    for queue in view.looked_in:
        arguments += (queue, _flag(queue in view.places), _flag(queue in leave))
    return arguments


def _flag(is_set: bool) -> str:
    return "1" if is_set else ""


def _due_ms(view: JobView) -> float:
    """When a job was to run; 0, which is at once, if that cannot be read."""
    try:
        return read_time((view.due or "").encode()).timestamp() * 1000
    except (ValueError, OverflowError):
        return 0.0
