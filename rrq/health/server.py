"""`judge_server`: is this Redis one that keeps jobs? Pure: facts in, findings out."""

from __future__ import annotations

from rrq.health.facts import ClockFacts, ServerFacts
from rrq.health.finding import Finding, State, summed_up
from rrq.wording import counted

OLDEST_REDIS = (6, 2)

NEARLY_FULL = 0.9
"""Of the memory that it may use, from which on it deserves a look."""

SKEW_SECONDS = 2.0
"""Clocks that differ by more are worth a word: producers' `_defer_until` and times in logs are by
the clock of their machine. Due times and leases are by Redis' clock alone."""

FORBIDDEN = "This server does not tell: it forbids INFO."

SAFE = "Set `appendonly yes`."


def judge_server(server: ServerFacts, clock: ClockFacts) -> list[Finding]:
    """What is to be said of the server, one finding for each check."""
    return [
        _reachable(server),
        _version(server),
        _persistence(server),
        _eviction(server),
        _memory(server),
        _clock(clock),
    ]


def _reachable(server: ServerFacts) -> Finding:
    answers = f"{server.address} answers within {server.answer_seconds * 1000:.1f} ms."
    if server.is_read_only:
        return Finding(
            "redis",
            "failed",
            f"{answers} It is a replica and refuses writes: name the primary in `redis_dsn`.",
        )
    return Finding("redis", "ok", answers)


def _version(server: ServerFacts) -> Finding:
    if server.version is None:
        return Finding("version", "unknown", FORBIDDEN)
    name = f"{server.product} {server.version}"
    if server.product == "Redis" and _is_too_old(server.redis_version or ""):
        oldest = ".".join(map(str, OLDEST_REDIS))
        return Finding("version", "failed", f"{name} is too old: RRQ needs {oldest} or newer.")
    return Finding("version", "ok", f"{name}.")


def _is_too_old(version: str) -> bool:
    parts = version.split(".")[:2]
    return all(part.isdigit() for part in parts) and tuple(map(int, parts)) < OLDEST_REDIS


def _persistence(server: ServerFacts) -> Finding:
    parts: list[tuple[State, str]] = []
    if server.append_only_ok is False:
        parts.append(("failed", "The last write to the append-only file failed: is the disk full?"))
    if server.snapshot_ok is False and server.snapshot_rules != "":
        parts.append(("failed", "The last snapshot failed, and Redis may refuse writes for it."))
    if parts:
        return summed_up("persistence", parts, "")
    if server.append_only is None:
        return Finding("persistence", "unknown", FORBIDDEN)
    if server.append_only:
        return Finding("persistence", "ok", "Every write goes to an append-only file.")
    if server.snapshot_rules is None:
        return Finding(
            "persistence",
            "unknown",
            "There is no append-only file; whether snapshots are taken, this server does not tell.",
        )
    if server.snapshot_rules:
        return Finding(
            "persistence",
            "warning",
            f"Only snapshots are taken: jobs since the last one are lost with the server. {SAFE}",
        )
    return Finding("persistence", "warning", f"All jobs are lost with the server. {SAFE}")


def _eviction(server: ServerFacts) -> Finding:
    policy = server.eviction_policy
    if policy is None:
        return Finding("eviction", "unknown", FORBIDDEN)
    if policy == "noeviction":
        return Finding("eviction", "ok", "No key is deleted for want of memory.")
    what = "jobs" if policy.startswith("allkeys") else "unique keys, heartbeats and results"
    evicted = ""
    if server.evicted_keys:
        evicted = f" {counted(server.evicted_keys, 'key was', 'keys were')} evicted."
    return Finding(
        "eviction",
        "warning",
        f"With {policy} Redis deletes {what} when memory is short.{evicted} "
        "Set `maxmemory-policy noeviction`.",
    )


def _memory(server: ServerFacts) -> Finding:
    used, most = server.used_bytes, server.max_bytes
    if used is None:
        return Finding("memory", "unknown", FORBIDDEN)
    if most:
        says = f"{_size(used)} of {_size(most)} are used."
        if used >= most and server.eviction_policy in ("noeviction", None):
            return Finding("memory", "failed", f"{says} Redis refuses writes: raise `maxmemory`.")
        if used >= NEARLY_FULL * most:
            return Finding("memory", "warning", f"{says} Raise `maxmemory`, or `rrq dlq delete`.")
        return Finding("memory", "ok", says)
    says = f"{_size(used)} are used; there is no `maxmemory`."
    if server.system_bytes and used >= NEARLY_FULL * server.system_bytes:
        return Finding("memory", "warning", f"{says} The machine has {_size(server.system_bytes)}.")
    return Finding("memory", "ok", says)


def _clock(clock: ClockFacts) -> Finding:
    skew = clock.skew_seconds
    if abs(skew) > SKEW_SECONDS + clock.uncertainty_seconds:
        return Finding(
            "clock",
            "warning",
            f"The clock of this machine is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'}"
            " Redis'. Deferred times are wrong by that: use NTP.",
        )
    if clock.uncertainty_seconds > SKEW_SECONDS:
        return Finding("clock", "unknown", "Redis answers too slowly to tell.")
    return Finding("clock", "ok", f"This machine's and Redis' differ by {abs(skew):.1f} s.")


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
