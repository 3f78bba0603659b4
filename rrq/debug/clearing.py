"""`find_test_data` and `clear`: every trace of the jobs and workers whose ids match a pattern."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rrq.store.keys import WORKER_ID_PREFIX
from rrq.store.replies import text, texts

if TYPE_CHECKING:
    from rrq.store.store import JobStore

BATCH = 500
MOST_PASSES = 5
"""Fake workers that go on showing themselves would never be gone."""


@dataclass(slots=True)
class TestData:
    """What matches, and where it stands.

    Attributes:
        pattern: what it matches.
        jobs: ids of jobs, with a hash or without one.
        workers: ids of workers.
        sets: for each sorted set (queues, leases, ids without a hash), the ids in it.
        lists: the same for dead letter queues.
    """

    __test__ = False

    pattern: str
    jobs: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)
    sets: dict[str, list[str]] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cleared:
    """How much was deleted: keys, and entries of keys that stay."""

    keys: int
    entries: int


def is_local(dsn: str) -> bool:
    """Whether a DSN leads to this machine: a loopback address or a Unix socket."""
    parts = urlsplit(dsn)
    if parts.scheme == "unix" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


async def find_test_data(store: JobStore, pattern: str) -> TestData:
    """Look for jobs with an id that matches, and workers whose id does after `rrq_worker_`.

    Args:
        pattern: `*`, `?` and `[abc]` mean what they mean in a shell.
    """
    keys, redis = store.keys, store.redis
    found = TestData(pattern)
    async for key in _keys_with(store, keys.job_root, pattern):
        found.jobs.add(key.removeprefix(keys.job_root))
    health_root = keys.health(WORKER_ID_PREFIX)
    async for key in _keys_with(store, health_root, pattern):
        found.workers.add(WORKER_ID_PREFIX + key.removeprefix(health_root))
    for worker_id in texts(await redis.zrange(keys.workers, 0, -1)):
        if fnmatchcase(worker_id.removeprefix(WORKER_ID_PREFIX), pattern):
            found.workers.add(worker_id)
    for name in [keys.leases, keys.unborn, *await _all_keys(store, keys.queue_root, b"zset")]:
        ids = [
            text(member)
            async for member, _ in redis.zscan_iter(name, count=BATCH)
            if fnmatchcase(text(member), pattern)
        ]
        if ids:
            found.sets[name] = list(dict.fromkeys(ids))
    for name in await _all_keys(store, keys.dlq_root, b"list"):
        ids = [one for one in texts(await redis.lrange(name, 0, -1)) if fnmatchcase(one, pattern)]
        if ids:
            found.lists[name] = list(dict.fromkeys(ids))
    for ids in (*found.sets.values(), *found.lists.values()):
        found.jobs.update(ids)
    return found


async def clear(store: JobStore, pattern: str) -> Cleared:
    """Delete all that `find_test_data` finds, and nothing else. Running jobs are cancelled
    first."""
    cleared = Cleared(0, 0)
    # A worker may move a job from place to place in the meantime: look again for what is left.
    for _ in range(MOST_PASSES):
        found = await find_test_data(store, pattern)
        if not found.jobs and not found.workers:
            break
        once = await _clear(store, found)
        cleared = Cleared(cleared.keys + once.keys, cleared.entries + once.entries)
    return cleared


async def _clear(store: JobStore, found: TestData) -> Cleared:
    deleted = entries = 0
    for ids in _batches(found.jobs):
        deleted += await _cancel(store, ids)
    for name, members in found.sets.items():
        for ids in _batches(members):
            entries += await store.redis.zrem(name, *ids)
    for name, members in found.lists.items():
        for ids in _batches(members):
            async with store.redis.pipeline(transaction=False) as pipeline:
                for job_id in ids:
                    pipeline.lrem(name, 0, job_id)
                entries += sum(await pipeline.execute())
    for ids in _batches(found.jobs):
        deleted += await store.redis.delete(*map(store.keys.job, ids))
        deleted += await store.redis.delete(*map(store.keys.waiters, ids))
    queues = await store.queues.names()
    for worker_id in found.workers:
        deleted += await store.redis.exists(store.keys.health(worker_id))
        await store.workers.leave(worker_id, queues)
    for name in queues:
        if fnmatchcase(name, found.pattern) and not await store.redis.exists(
            store.keys.queue(name)
        ):
            entries += await store.redis.srem(store.keys.queues, name)
    return Cleared(deleted, entries)


async def _cancel(store: JobStore, ids: list[str]) -> int:
    """Cancel what a live worker runs, and what waits with a unique key: the step knows what
    follows from that. Returns how many keys had to be deleted beside."""
    async with store.redis.pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hmget(store.keys.job(job_id), "status", "job_unique_key", "worker_id")
        answers = await pipeline.execute(raise_on_error=False)
    deleted = 0
    for job_id, answer in zip(ids, answers, strict=True):
        if isinstance(answer, Exception):
            continue
        status, unique_key, worker_id = answer
        wants_cancel = bool(unique_key)
        if status == b"ACTIVE":
            # Nobody reads the mailbox of a worker that is not there.
            health = store.keys.health(text(worker_id or b""))
            wants_cancel = bool(await store.redis.exists(health))
        if wants_cancel:
            await store.jobs.cancel(job_id)
        if unique_key and await store.get_unique_lock_holder(text(unique_key)) == job_id:
            deleted += await store.redis.delete(store.keys.unique(text(unique_key)))
    return deleted


async def _keys_with(store: JobStore, root: str, pattern: str) -> AsyncIterator[str]:
    """Keys that are the root and something that matches."""
    # What stands before the first special character narrows the search down in Redis.
    literal = re.split(r"[*?\[\\]", pattern, maxsplit=1)[0]
    async for key in store.redis.scan_iter(match=f"{_literal(root + literal)}*", count=BATCH):
        if fnmatchcase(text(key).removeprefix(root), pattern):
            yield text(key)


async def _all_keys(store: JobStore, root: str, kind: bytes) -> list[str]:
    names = {text(key) async for key in store.redis.scan_iter(f"{_literal(root)}*", count=BATCH)}
    return [name for name in sorted(names) if await store.redis.type(name) == kind]


def _literal(pattern: str) -> str:
    """The text as a pattern of Redis that matches nothing else."""
    return re.sub(r"([*?\[\]\\^])", r"\\\1", pattern)


def _batches(ids: Iterable[Any]) -> Iterable[list[Any]]:
    everything = list(ids)
    for start in range(0, len(everything), BATCH):
        yield everything[start : start + BATCH]
