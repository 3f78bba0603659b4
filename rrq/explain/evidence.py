"""`Evidence`: what is known of a job that may not run, all of it from one instant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from rrq.store.serving import Serving
from rrq.wording import told_error

KeyKind = Literal["hash", "none", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """The job's hash, as far as it can be read.

    Attributes:
        unreadable: the fields that cannot be read, or that must be set and are not.
        max_attempts, timeout_seconds: the job's own, else those of the configuration.
        runs_alone: whether the next loss would be one too many.
    """

    function_name: str | None = None
    status: str | None = None
    queue: str | None = None
    enqueued_at: datetime | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failed_attempts: int = 0
    max_attempts: int = 1
    timeout_seconds: float = 0.0
    lost_count: int = 0
    runs_alone: bool = False
    unique_key: str | None = None
    worker_id: str | None = None
    cancel_requested_at: datetime | None = None
    last_error: str | None = None
    last_error_type: str | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def told_error(self) -> str | None:
        """The last error with its type, if that is known."""
        return told_error(self.last_error, self.last_error_type)

    @property
    def executor(self) -> str | None:
        """The executor that its function's name asks for."""
        prefix, mark, _ = (self.function_name or "").partition("#")
        return prefix if mark else None

    @property
    def handler(self) -> str:
        """Its function's name at the executor."""
        name = self.function_name or ""
        return name.partition("#")[2] if "#" in name else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A queue, by its bare name, that the id waits in."""

    queue: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """The queue that the job waits in, or would.

    Attributes:
        waiting: how many jobs are in it, due or not.
        due: how many are due.
        ahead: how many are due before the job.
        parked_workers: how many workers sleep on it until it has a job for them; at most 100.
    """

    name: str
    is_paused: bool = False
    waiting: int = 0
    due: int = 0
    ahead: int = 0
    parked_workers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderFacts:
    """The job that holds the unique key.

    Attributes:
        key_seconds: when the key is free at the latest; None if it does not expire.
        status: None if there is no such job any more.
        due_at: when it is due, if it waits.
        runs: whether it has a lease.
    """

    job_id: str
    key_seconds: float | None
    status: str | None = None
    queue: str | None = None
    worker_id: str | None = None
    function_name: str | None = None
    due_at: datetime | None = None
    runs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that runs somewhere.

    Attributes:
        queue: its bare name.
        runs_alone: whether the next loss would be one too many: it has a process for itself.
    """

    job_id: str
    worker_id: str
    function_name: str
    queue: str
    started_at: datetime | None = None
    runs_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known.

    Attributes:
        now: Redis' clock.
        local_now: this machine's, when the answer came.
        kind: what the job's key holds.
        expires_seconds: when its hash disappears; None if it does not.
        lease_until: when its lease runs out, if it has one.
        unborn_since: when a worker found the id in a queue without a hash.
        places: where the id waits, the job's own queue first.
        holder: who holds its unique key, unless it holds that itself.
        workers: the living ones that were looked at, of `workers_alive`.
        running: the running jobs that were looked at, of `running_in_all`.
        dlq: its dead letter queue, bare.
        is_dead_letter: whether it is among the newest thousand there.
    """

    job_id: str
    now: datetime
    local_now: datetime
    kind: KeyKind = "hash"
    job: JobFacts = field(default_factory=JobFacts)
    expires_seconds: float | None = None
    lease_until: datetime | None = None
    unborn_since: datetime | None = None
    places: tuple[Place, ...] = ()
    queue: QueueFacts
    holder: HolderFacts | None = None
    workers: tuple[Serving, ...] = ()
    workers_alive: int = 0
    running: tuple[RunningJob, ...] = ()
    running_in_all: int = 0
    dlq: str = "default"
    is_dead_letter: bool = False

    @property
    def is_nowhere(self) -> bool:
        """Whether nothing at all is known under this id."""
        return (
            self.kind == "none"
            and not self.places
            and self.lease_until is None
            and not self.is_dead_letter
        )

    @property
    def sees_all_workers(self) -> bool:
        """Whether every living worker was looked at."""
        return len(self.workers) >= self.workers_alive

    @property
    def sees_all_running(self) -> bool:
        """Whether every running job was looked at."""
        return len(self.running) >= self.running_in_all

    def serving(self) -> list[Serving]:
        """The workers that claim from the job's queue, stuck ones as well."""
        return [
            worker
            for worker in self.workers
            if self.queue.name in worker.queues and not worker.is_stopping
        ]

    def executor_of(self, worker: Serving) -> str | None:
        """The executor of the job at this worker; None if that cannot be told."""
        return worker.executor_of(self.job.function_name or "", self.queue.name)

    def running_at(self, worker: Serving, executor: str | None) -> Iterator[RunningJob]:
        """The jobs that run at an executor of a worker; those at any of them if it is None."""
        for job in self.running:
            if job.worker_id != worker.worker_id:
                continue
            its = worker.executor_of(job.function_name, job.queue)
            if executor is None or its in (None, executor):
                yield job
