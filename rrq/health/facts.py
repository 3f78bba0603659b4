"""What is known of an RRQ before anybody judges it. What could not be asked is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """The Redis server, as INFO, CONFIG GET or, where these are forbidden, HELLO tell.

    Attributes:
        address: host and port, or the path of a socket.
        product: `Redis` or `Valkey`.
        version: of the product.
        redis_version: the version of Redis that it says it is compatible with.
        role: `master` or `slave`.
        is_read_only: whether it refuses writes because it is a replica.
        answer_seconds: how long an answer takes.
        append_only: whether every write goes to an append-only file.
        append_only_ok: whether the last write to that file succeeded.
        snapshot_rules: the server's `save`; empty if it takes none.
        snapshot_ok: whether the last snapshot succeeded.
        used_bytes, max_bytes, system_bytes: memory that it uses, that it may use (0 is
            unlimited), and that its machine has.
        eviction_policy: its `maxmemory-policy`.
        evicted_keys: how many keys it has evicted since it started.
    """

    address: str
    product: str = "Redis"
    version: str | None = None
    redis_version: str | None = None
    role: str | None = None
    is_read_only: bool | None = None
    answer_seconds: float = 0.0
    append_only: bool | None = None
    append_only_ok: bool | None = None
    snapshot_rules: str | None = None
    snapshot_ok: bool | None = None
    used_bytes: int | None = None
    max_bytes: int | None = None
    system_bytes: int | None = None
    eviction_policy: str | None = None
    evicted_keys: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFacts:
    """How this machine's clock stands to Redis'.

    Attributes:
        skew_seconds: how far ours is ahead; negative if it is behind.
        uncertainty_seconds: half the time that the answer took.
    """

    skew_seconds: float
    uncertainty_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """A worker, as its health key has it.

    Attributes:
        health: what it wrote; empty if that cannot be read.
        ttl_seconds: when the key expires; None if it never does.
        skew_seconds: how far its clock is ahead of Redis'; None if that cannot be told.
    """

    worker_id: str
    health: Mapping[str, Any] = field(default_factory=dict)
    ttl_seconds: float | None = None
    skew_seconds: float | None = None

    @property
    def status(self) -> str:
        """Its status as it is written; empty if there is none."""
        return str(self.health.get("status") or "")

    @property
    def is_stuck(self) -> bool:
        """Whether it lives but can claim nothing."""
        return self.status.startswith("stuck")

    @property
    def takes_jobs(self) -> bool:
        """Whether it claims jobs: it is neither stuck nor starting nor stopping."""
        return bool(self.health) and not self.status.startswith(_NOT_CLAIMING)

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of its queues, as it wrote them."""
        names = self.health.get("queues")
        return tuple(map(str, names)) if isinstance(names, list) else ()

    @property
    def executors(self) -> Mapping[str, Mapping[str, Any]]:
        """What each of its executors tells, by name."""
        known = self.health.get("executors")
        if not isinstance(known, dict):
            return {}
        return {str(name): one for name, one in known.items() if isinstance(one, dict)}


_NOT_CLAIMING = ("stuck", "initializing", "stopping", "stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """A queue.

    Attributes:
        name: bare.
        waiting, due: how many jobs wait in it, and how many of them are due.
        first_due_at: when the first one is or was due.
        is_queue: whether its key holds a sorted set, as it must.
    """

    name: str
    waiting: int = 0
    due: int = 0
    first_due_at: datetime | None = None
    is_paused: bool = False
    is_queue: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known.

    Attributes:
        now: by Redis' clock.
        abandoned: how many leases ran out so long ago that no worker can be looking for them.
    """

    now: datetime
    server: ServerFacts
    clock: ClockFacts
    workers: tuple[WorkerFacts, ...] = ()
    queues: tuple[QueueFacts, ...] = ()
    abandoned: int = 0
