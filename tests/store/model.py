"""`Model`: what the atomic steps shall make of jobs, in plain Python, without time.

Which jobs are due, and in which order, is read from Redis; where each job is, in which state, and
who holds which unique key, is foretold here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Place = Literal["queue", "leased", "ended"]

MAX_LOST = 2


@dataclass
class ModelJob:
    """One job as it should be."""

    queue: str
    key: str = ""
    status: str = "PENDING"
    place: Place = "queue"
    retries: int = 0
    lost: int = 0
    token: int = 0
    worker: str = ""
    settled_token: int = 0
    lease_is_over: bool = False
    cancel_requested: bool = False
    mark: str = ""


@dataclass
class Model:
    """All jobs, the holders of unique keys, and the jobs held back behind each key."""

    jobs: dict[str, ModelJob] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    strays: set[str] = field(default_factory=set)
    """Ids that somebody put into a queue though they are running or have ended."""
    unborn: dict[str, str] = field(default_factory=dict)
    """Queue of each id that has no hash yet."""
    last_token: int = 0

    def ids_in(self, place: Place) -> list[str]:
        return sorted(job_id for job_id, job in self.jobs.items() if job.place == place)

    def is_waiting(self, job_id: str) -> bool:
        return job_id in self.jobs and self.jobs[job_id].place == "queue"

    def is_running(self, job_id: str) -> bool:
        return job_id in self.jobs and self.jobs[job_id].place == "leased"

    # -- enqueue --------------------------------------------------------------------------

    def write(self, job_id: str, job: ModelJob) -> None:
        self.jobs[job_id] = job
        self.strays.discard(job_id)

    def forget(self, job_id: str, new_key: str, first_held: str | None) -> None:
        """An earlier run of this id gives way to a new definition."""
        job = self.jobs.pop(job_id, None)
        self.strays.discard(job_id)
        if job and job.key:
            self.held.get(job.key, set()).discard(job_id)
            if job.key != new_key:
                self.release(job_id, job.key, first_held)

    def hold_back(self, job_id: str, key: str) -> None:
        self.held.setdefault(key, set()).add(job_id)

    # -- claim ----------------------------------------------------------------------------

    def lease(self, job_id: str, token: int, worker: str) -> None:
        job = self.jobs[job_id]
        assert job.place == "queue", f"{job_id} was leased from {job.place}"
        assert token > self.last_token
        self.last_token = token
        if job.key:
            assert self.holders.get(job.key, job_id) == job_id, f"{job.key} is another's"
            self.holders[job.key] = job_id
            self.held.get(job.key, set()).discard(job_id)
        job.place, job.status = "leased", "ACTIVE"
        job.token, job.worker = token, worker
        job.lease_is_over = False

    # -- settle, reap, cancel -------------------------------------------------------------

    def release(self, job_id: str, key: str, first_held: str | None) -> None:
        """The key is free, or passes to the first job that was held back."""
        if not key or self.holders.get(key) != job_id:
            return
        del self.holders[key]
        if first_held is not None:
            self.held[key].discard(first_held)
            self.holders[key] = first_held

    def end(self, job_id: str, status: str, first_held: str | None) -> None:
        job = self.jobs[job_id]
        job.place, job.status, job.cancel_requested = "ended", status, False
        self.release(job_id, job.key, first_held)

    def queue_again(self, job_id: str, status: str) -> None:
        job = self.jobs[job_id]
        job.place, job.status = "queue", status
        self.strays.discard(job_id)

    def settle(self, job_id: str, token: int, kind: str, first_held: str | None) -> str:
        """The answer that Redis shall give."""
        job = self.jobs.get(job_id)
        if job is None or job.place != "leased" or job.token != token:
            return "repeated" if job and job.settled_token == token else "stale"
        job.settled_token = token
        if kind == "complete":
            self.end(job_id, "COMPLETED", first_held)
        elif kind == "fail":
            job.retries += 1
            self.end(job_id, "FAILED", first_held)
        elif kind == "lost":
            became = self.lose(job_id, first_held)
            return {"queued": "lost", "dead": "dead", "cancelled": "cancel"}[became]
        elif kind == "cancel" or job.cancel_requested:
            self.end(job_id, "CANCELLED", first_held)
            return "cancel"
        elif kind == "retry":
            job.retries += 1
            self.queue_again(job_id, "RETRYING")
        else:
            self.queue_again(job_id, "PENDING")
        return kind

    def reap(self, job_id: str, first_held: str | None) -> str:
        self.jobs[job_id].token = 0
        return self.lose(job_id, first_held)

    def lose(self, job_id: str, first_held: str | None) -> str:
        job = self.jobs[job_id]
        job.lost += 1
        if job.cancel_requested:
            self.end(job_id, "CANCELLED", first_held)
            return "cancelled"
        if job.lost > MAX_LOST:
            self.end(job_id, "FAILED", first_held)
            return "dead"
        self.queue_again(job_id, "PENDING")
        return "queued"

    def cancel(self, job_id: str, first_held: str | None) -> str:
        """The answer that Redis shall give."""
        job = self.jobs.get(job_id)
        if job is None:
            return "missing"
        if job.place == "leased":
            job.cancel_requested = True
            return "requested"
        if job.place == "ended":
            return job.status
        if job.key:
            self.held.get(job.key, set()).discard(job_id)
        self.end(job_id, "CANCELLED", first_held)
        return "cancelled"
