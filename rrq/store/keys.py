"""The names of every key in Redis, all made from one prefix.

A queue or DLQ may be named bare (`urgent`) or by its full key (`rrq:queue:urgent`); both mean
the same, and both are accepted wherever a name is. No step may touch a key that is not made
here: with the prefix `{rrq}` one RRQ then lives in one slot of a Redis Cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WORKER_ID_PREFIX = "rrq_worker_"


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one `prefix`."""

    prefix: str = "rrq"

    # -- one job ------------------------------------------------------------------------

    def job(self, job_id: str) -> str:
        """Hash: the job."""
        return f"{self.prefix}:job:{job_id}"

    @property
    def job_root(self) -> str:
        """What stands before a job's id in `job`."""
        return f"{self.prefix}:job:"

    def waiters(self, job_id: str) -> str:
        """Set: the mailboxes to tell when a job ends; expires."""
        return f"{self.prefix}:waiters:{job_id}"

    # -- queues -------------------------------------------------------------------------

    def queue(self, name: str) -> str:
        """Sorted set: job id by due time, in milliseconds since the epoch."""
        return f"{self.queue_root}{self.bare_queue(name)}"

    def bare_queue(self, name: str) -> str:
        """The queue's name without the key's prefix."""
        return name.removeprefix(self.queue_root)

    @property
    def queue_root(self) -> str:
        """What stands before a queue's bare name in `queue`."""
        return f"{self.prefix}:queue:"

    @property
    def queues(self) -> str:
        """Set: the bare names of all queues that ever had a job."""
        return f"{self.prefix}:queues"

    @property
    def paused(self) -> str:
        """Set: the bare names of the queues whose jobs nobody may claim."""
        return f"{self.prefix}:paused"

    def dlq(self, name: str) -> str:
        """List: ids of dead-lettered jobs, newest first."""
        return f"{self.dlq_root}{self.bare_dlq(name)}"

    def bare_dlq(self, name: str) -> str:
        """The DLQ's name without the key's prefix."""
        return name.removeprefix(self.dlq_root)

    @property
    def dlq_root(self) -> str:
        """What stands before a DLQ's bare name in `dlq`."""
        return f"{self.prefix}:dlq:"

    def unique(self, unique_key: str) -> str:
        """String: the id of the job that holds this unique key; expires."""
        return f"{self.prefix}:lock:unique:{unique_key}"

    def held(self, unique_key: str) -> str:
        """Sorted set: ids of jobs held back behind a unique key, by when; expires."""
        return f"{self.prefix}:held:{unique_key}"

    @property
    def unborn(self) -> str:
        """Sorted set: queued ids that had no hash yet, by when that was first seen, in ms."""
        return f"{self.prefix}:unborn"

    # -- leases -------------------------------------------------------------------------

    @property
    def leases(self) -> str:
        """Sorted set: id of every running job by the expiry of its lease, in milliseconds."""
        return f"{self.prefix}:leases"

    @property
    def lease_token(self) -> str:
        """Integer: the last lease token that was given out; it only grows."""
        return f"{self.prefix}:lease:token"

    # -- statistics and history -----------------------------------------------------------

    def counted(self, kind: Literal["queue", "function"]) -> str:
        """Sorted set: the queues or functions that are counted, by their last minute."""
        return f"{self.prefix}:stats:{kind}s"

    def total(self, kind: Literal["queue", "function"], name: str) -> str:
        """Hash: how often each event happened to the jobs of a queue or function; expires."""
        return f"{self.prefix}:stats:{kind}:{name}"

    def minute(self, minute: int | str, kind: Literal["queue", "function"], name: str) -> str:
        """Hash: events, times and histograms of one minute since the epoch; expires."""
        return f"{self.prefix}:stats:minute:{minute}:{kind}:{name}"

    @property
    def stretches(self) -> str:
        """Sorted set: stretches of the history, by their last minute."""
        return f"{self.prefix}:history"

    def stretch_minutes(self, stretch: str) -> str:
        """Sorted set: the minutes in which jobs of a stretch ended."""
        return f"{self.prefix}:history:minutes:{stretch}"

    def ended(self, minute: int | str, stretch: str) -> str:
        """List: when and which jobs of a stretch ended in a minute; expires."""
        return f"{self.prefix}:history:ended:{minute}:{stretch}"

    # -- workers ------------------------------------------------------------------------

    def idle(self, queue: str) -> str:
        """Sorted set: ids of workers parked on a queue, by the expiry of their entry in ms."""
        return f"{self.prefix}:idle:{self.bare_queue(queue)}"

    def mailbox(self, reader: str) -> str:
        """List: what a worker or a waiting client must hear at once; expires unless read.

        `wake`, `cancel <token> <job id>` for a worker, `done <job id>` for a client.
        """
        return f"{self.prefix}:mailbox:{reader}"

    def health(self, worker_id: str) -> str:
        """String: the worker's heartbeat as JSON; expires."""
        return f"{self.prefix}:health:worker:{worker_id}"

    @property
    def workers(self) -> str:
        """Sorted set: ids of workers by the expiry of their heartbeat, in milliseconds."""
        return f"{self.prefix}:workers"

    # -- cron ---------------------------------------------------------------------------

    def cron(self, name: str) -> str:
        """String: the last slot of this cron job that was taken or skipped, in ms, and the
        schedule that it is a slot of; expires after 400 days."""
        return f"{self.prefix}:cron:{name}"
