"""`ask`: the facts, from Redis, in a bounded number of commands that change nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from rrq.health.facts import ClockFacts, Facts, QueueFacts, ServerFacts, WorkerFacts
from rrq.store.codec import read_time
from rrq.store.connection import describe_address, means_wait
from rrq.store.replies import is_wrong_type, text

if TYPE_CHECKING:
    from rrq.store.store import JobStore

CLOCK_SAMPLES = 3

ABANDONED_AFTER_SECONDS = 30.0
"""A living worker takes an expired lease within two seconds; it waits longer only when Redis has
just come back."""


async def ask(store: JobStore) -> Facts:
    """Ask Redis for everything that there is to judge.

    Raises:
        redis.exceptions.RedisError: Redis went away, or refuses what every command needs.
    """
    clock = await _clock(store)
    server = await _server(store, clock)
    workers = await _workers(store, clock)
    queues = await _queues(store, workers)
    now = datetime.now(UTC) - timedelta(seconds=clock.skew_seconds)
    return Facts(
        now=now,
        server=server,
        clock=clock,
        workers=workers,
        queues=queues,
        abandoned=await _abandoned(store, now),
    )


# -- the server -------------------------------------------------------------------------


async def _clock(store: JobStore) -> ClockFacts:
    """The sample with the quickest answer, for it says most."""
    samples = []
    for _ in range(CLOCK_SAMPLES):
        asked, began = time.time(), time.perf_counter()
        seconds, micros = await store.redis.time()
        took = time.perf_counter() - began
        samples.append((took / 2, asked + took / 2 - (seconds + micros / 1e6)))
    uncertainty, skew = min(samples)
    return ClockFacts(skew_seconds=skew, uncertainty_seconds=uncertainty)


async def _server(store: JobStore, clock: ClockFacts) -> ServerFacts:
    known = await _allowed(store.redis.info())
    # A managed server may forbid either, and each refusal is an entry in the server's ACL LOG.
    config: Any = {}
    if known is None:
        redis: Any = store.redis  # redis-py gives `execute_command` no types
        known = _pairs(await _allowed(redis.execute_command("HELLO")))
        known["redis_version"] = known.get("version")
    else:
        config = await _allowed(store.redis.config_get("save", "maxmemory-policy")) or {}
        config = {text(name): text(value) for name, value in config.items()}
    return server_facts(
        describe_address(store.settings.redis_dsn),
        known,
        config,
        2 * clock.uncertainty_seconds,
    )


def server_facts(
    address: str, info: Mapping[str, Any], config: Mapping[str, str], answer_seconds: float
) -> ServerFacts:
    """The facts in what INFO (or HELLO) and CONFIG GET answered, as far as they did."""
    is_valkey = "valkey_version" in info or info.get("server") == "valkey"
    role = info.get("role")
    return ServerFacts(
        address=address,
        product="Valkey" if is_valkey else "Redis",
        version=_text(info.get("valkey_version") or info.get("redis_version")),
        redis_version=None if info.get("server") == "valkey" else _text(info.get("redis_version")),
        role=_text(role),
        is_read_only=role in ("slave", "replica") and info.get("slave_read_only") != 0,
        answer_seconds=answer_seconds,
        append_only=_flag(info.get("aof_enabled")),
        append_only_ok=_is_ok(info.get("aof_last_write_status")),
        snapshot_rules=config.get("save"),
        snapshot_ok=_is_ok(info.get("rdb_last_bgsave_status")),
        used_bytes=_count(info.get("used_memory")),
        max_bytes=_count(info.get("maxmemory")),
        system_bytes=_count(info.get("total_system_memory")),
        eviction_policy=_text(info.get("maxmemory_policy") or config.get("maxmemory-policy")),
        evicted_keys=_count(info.get("evicted_keys")),
    )


async def _allowed(question: Any) -> Any:
    """The answer, or None if the server does not let us ask or does not know the command."""
    try:
        return await question
    except ResponseError as error:
        if means_wait(error):
            raise
        return None


def _pairs(answer: Any) -> dict[str, Any]:
    """An answer of names and values, however the protocol's version writes it."""
    if isinstance(answer, Mapping):
        pairs: Iterable[tuple[Any, Any]] = answer.items()
    else:
        parts = list(answer or ())
        pairs = zip(parts[::2], parts[1::2], strict=False)
    return {
        text(name): text(value) if isinstance(value, bytes | str) else value
        for name, value in pairs
        if isinstance(name, bytes | str)
    }


# -- workers, queues, leases ------------------------------------------------------------


async def _workers(store: JobStore, clock: ClockFacts) -> tuple[WorkerFacts, ...]:
    healths = await store.workers.healths(await store.workers.ids())
    now = datetime.now(UTC) - timedelta(seconds=clock.skew_seconds)
    return tuple(
        WorkerFacts(
            worker_id=worker_id,
            health=health,
            ttl_seconds=ttl_seconds,
            skew_seconds=worker_skew_seconds(health, ttl_seconds, now),
        )
        for worker_id, (health, ttl_seconds) in healths.items()
    )


def worker_skew_seconds(
    health: Mapping[str, Any], ttl_seconds: float | None, now: datetime
) -> float | None:
    """How far a worker's clock is ahead of Redis', as far as its heartbeat tells.

    Its TTL says how long ago it was written. Without knowing what the TTL was then, only a
    timestamp from the future can be judged.

    Args:
        now: by Redis' clock.
    """
    try:
        written_at = read_time(str(health.get("timestamp")).encode())
        ahead_seconds = (written_at - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    whole_ttl = health.get("ttl_seconds")
    if isinstance(whole_ttl, int | float) and ttl_seconds is not None:
        return ahead_seconds + max(0.0, whole_ttl - ttl_seconds)
    return ahead_seconds if ahead_seconds > 0 else None


async def _queues(store: JobStore, workers: Sequence[WorkerFacts]) -> tuple[QueueFacts, ...]:
    settings, keys = store.settings, store.keys
    # A plain producer makes no queue known: what is configured and what is served may have jobs.
    configured = [settings.default_queue_name, *settings.executor_routes]
    configured += [job.queue_name for job in settings.cron_jobs if job.queue_name]
    served = [name for worker in workers for name in worker.queues]
    paused = await store.queues.paused()
    names = sorted(
        {*await store.queues.names(), *paused, *map(keys.bare_queue, [*configured, *served])}
    )
    described = {size.name: size for size in await store.queues.describe(names)}
    return tuple(
        QueueFacts(
            name=name,
            waiting=size.waiting,
            due=size.due,
            first_due_at=size.first_due_at,
            is_paused=size.is_paused,
        )
        if (size := described.get(name))
        else QueueFacts(name=name, is_paused=name in paused, is_queue=False)
        for name in names
    )


async def _abandoned(store: JobStore, now: datetime) -> int:
    latest_ms = (now.timestamp() - ABANDONED_AFTER_SECONDS) * 1000
    try:
        return int(await store.redis.zcount(store.keys.leases, "-inf", latest_ms))
    except ResponseError as error:
        if is_wrong_type(error):
            return 0
        raise


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _flag(value: Any) -> bool | None:
    return bool(value) if isinstance(value, int) else None


def _is_ok(value: Any) -> bool | None:
    return None if value is None else value == "ok"
