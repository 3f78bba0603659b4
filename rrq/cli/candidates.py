"""What a word on the command line may become: names that only Redis and the configuration know.

    NAME = Annotated[str, typer.Argument(autocompletion=candidates.queue_names)]

Somebody waits for it with a finger on the Tab key: Redis is given a third of a second, then what
was found until then is offered. Whatever goes wrong, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.store.store import JobStore

    Collect = Callable[[JobStore, list[str]], Awaitable[None]]

REDIS_SECONDS = 0.3
MOST_OFFERED = 200
MOST_READ, MOST_QUEUES, MOST_WORKERS = 500, 50, 20

_SAFE = re.compile(r"[\w.:@/+,%][\w.:@/+,%=# -]*")
"""Names that no shell takes for anything else: producers choose them, and zsh evaluates what it is
offered."""


def queue_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Queues, by full key if one is being typed."""

    async def collect(store: JobStore, found: list[str]) -> None:
        names = _configured_queues(store) + await store.queues.names()
        if incomplete.startswith(store.keys.queue_root):
            names = [store.keys.queue(name) for name in names]
        found += names

    return _from_redis(ctx, incomplete, collect)


def job_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Jobs that run, wait or have ended, some of each."""

    async def collect(store: JobStore, found: list[str]) -> None:
        found += await _running_ids(store)
        found += await _waiting_ids(store)
        found += await _dead_ids(store, store.settings.default_dlq_name)
        async for ended in store.history.ended():
            found += [one.job_id for one in ended]
            if len(found) > MOST_READ:
                return

    return _from_redis(ctx, incomplete, collect)


def dead_job_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """The newest jobs of a dead letter queue, the one that `--dlq-name` names."""

    async def collect(store: JobStore, found: list[str]) -> None:
        name = ctx.params.get("dlq_name") or store.settings.default_dlq_name
        found += await _dead_ids(store, str(name))

    return _from_redis(ctx, incomplete, collect)


def function_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Functions of recent jobs, and those that living workers can run."""

    async def collect(store: JobStore, found: list[str]) -> None:
        found += await store.statistics.names("function")
        ids = (await store.workers.ids())[:MOST_WORKERS]
        for worker in (await store.active.workers(ids)).values():
            for executor in worker.executors.values():
                found += executor.functions or ()

    return _from_redis(ctx, incomplete, collect)


def worker_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Living workers."""

    async def collect(store: JobStore, found: list[str]) -> None:
        found += await store.workers.ids()

    return _from_redis(ctx, incomplete, collect)


def dlq_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The default dead letter queue: of no other it is known that it is one."""

    def names() -> Iterable[str]:
        from rrq.store.keys import Keys

        settings = _settings(ctx)
        return [Keys(settings.key_prefix).bare_dlq(settings.default_dlq_name)]

    return _offered(incomplete, names)


def cron_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The configured cron jobs."""

    def names() -> Iterable[str]:
        from rrq.cron import cron_entries

        return [entry.name for entry in cron_entries(_settings(ctx))]

    return _offered(incomplete, names)


def plugin_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The installed plugins."""

    def names() -> Iterable[str]:
        from rrq.plugins.discovery import find_plugins

        return [found.name for found in find_plugins()]

    return _offered(incomplete, names)


def statuses(ctx: typer.Context, incomplete: str) -> list[str]:
    """The states of a job."""
    known = ["pending", "active", "retrying", "completed", "failed", "cancelled"]
    return _offered(incomplete, lambda: known)


def _from_redis(ctx: typer.Context, incomplete: str, collect: Collect) -> list[str]:
    found: list[str] = []

    def names() -> Iterable[str]:
        import threading

        # First of all, what takes no Redis: imports count for nothing in its third of a second.
        from rrq.store.store import JobStore as JobStore

        settings = _settings(ctx)
        asking = threading.Thread(target=_ask, args=(settings, collect, found), daemon=True)
        asking.start()
        # The thread may be held by the resolver, which nothing can interrupt.
        asking.join(REDIS_SECONDS)
        return list(found)

    return _offered(incomplete, names)


def _ask(settings: RRQSettings, collect: Collect, found: list[str]) -> None:
    import asyncio

    from rrq.store.connection import connect
    from rrq.store.store import JobStore

    async def ask() -> None:
        store = JobStore(settings, redis=connect(settings, retries=0))
        async with asyncio.timeout(REDIS_SECONDS):
            await collect(store, found)

    with suppress(Exception):
        asyncio.run(ask())


def _settings(ctx: typer.Context) -> RRQSettings:
    from rrq.config import load_settings

    config, redis_dsn = ctx.params.get("config"), ctx.params.get("redis_dsn")
    return load_settings(config, redis_dsn=redis_dsn).settings


def _offered(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    with suppress(Exception):
        fitting = [
            name
            for name in dict.fromkeys(names())
            if name.startswith(incomplete) and _SAFE.fullmatch(name)
        ]
        return fitting[:MOST_OFFERED]
    return []


def _configured_queues(store: JobStore) -> list[str]:
    settings = store.settings
    names = [settings.default_queue_name, *settings.executor_routes]
    names += [job.queue_name for job in settings.cron_jobs if job.queue_name]
    return [store.keys.bare_queue(name) for name in names]


async def _running_ids(store: JobStore) -> list[str]:
    from rrq.store.replies import texts

    # The leases that run out last are those of the youngest claims and renewals.
    return texts(await store.redis.zrange(store.keys.leases, 0, MOST_READ - 1, desc=True))


async def _waiting_ids(store: JobStore) -> list[str]:
    names = _configured_queues(store) + await store.queues.names()
    found: list[str] = []
    for name in list(dict.fromkeys(names))[:MOST_QUEUES]:
        with suppress(TypeError, ValueError):
            found += await store.queues.waiting_ids(name, 0, MOST_READ // 10 - 1)
    return found


async def _dead_ids(store: JobStore, name: str) -> list[str]:
    return await store.dead_letters.ids(name, 0, MOST_READ - 1)
