"""`Snapshot`: all that one look at an RRQ brings, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rrq.store.active import ActiveJob
from rrq.store.listing import ListedJob
from rrq.store.queues import QueueSize
from rrq.store.serving import Serving
from rrq.store.statistics import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNow:
    """A queue.

    Attributes:
        running: how many of its jobs run, as far as running jobs were looked at.
        minute: what happened in the last minute.
        minutes: what happened in the last five.
    """

    size: QueueSize
    running: int
    minute: Window
    minutes: Window

    @property
    def name(self) -> str:
        """Its bare name."""
        return self.size.name


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerNow:
    """A worker, as its last heartbeat told of it.

    Attributes:
        in_flight: how many jobs it has: those with a lease, if all leases were looked at.
        heartbeat_age_seconds: how old that is; None if it does not tell.
        started_at: by the worker's own clock.
        counts: jobs by outcome since it started.
    """

    serving: Serving
    in_flight: int
    capacity: int
    heartbeat_age_seconds: float | None = None
    started_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def worker_id(self) -> str:
        """Its id."""
        return self.serving.worker_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look.

    Attributes:
        at: when, by Redis' clock.
        took_seconds: how long Redis needed to tell it all.
        address: of Redis.
        prefix: of all its keys.
        only: the queues that it is confined to; none means all.
        queues: those that were active last, if there are too many to show.
        known_queues: how many there are.
        workers: those that have a heartbeat; `known_workers` is how many there are.
        running: those that run longest of the `running_seen` that were looked at, of
            `running_total`.
        failures: the newest jobs that failed for good within the last hour.
        has_more_failures: whether there are older ones in that hour.
        dead_letters: how many are in the default dead letter queue, whatever their queue.
    """

    at: datetime
    took_seconds: float
    address: str
    prefix: str
    only: tuple[str, ...] = ()
    queues: tuple[QueueNow, ...] = ()
    known_queues: int = 0
    workers: tuple[WorkerNow, ...] = ()
    known_workers: int = 0
    running: tuple[ActiveJob, ...] = ()
    running_seen: int = 0
    running_total: int = 0
    failures: tuple[ListedJob, ...] = ()
    has_more_failures: bool = False
    dead_letters: int = 0

    @property
    def waiting(self) -> int:
        """How many jobs wait in the queues that are shown."""
        return sum(queue.size.waiting for queue in self.queues)

    @property
    def due(self) -> int:
        """How many of them could start now."""
        return sum(queue.size.due for queue in self.queues)

    @property
    def completed_per_second(self) -> float:
        """Jobs that succeeded, over the last minute."""
        return sum(queue.minute.per_second("completed") for queue in self.queues)

    @property
    def failed_per_minute(self) -> float:
        """Attempts that failed in the last minute."""
        return sum(queue.minute.events["failed"] for queue in self.queues)

    def queue(self, name: str) -> QueueNow | None:
        """The queue of this bare name."""
        return next((queue for queue in self.queues if queue.name == name), None)
