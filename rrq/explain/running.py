"""A job that has a lease: it runs, or did until its worker was lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rrq.explain.evidence import Evidence
from rrq.explain.reason import Reason, Remedy
from rrq.explain.wording import since, until
from rrq.wording import counted


def running(evidence: Evidence) -> Iterator[Reason]:
    """Where it runs, and what is wrong with that."""
    if evidence.kind != "hash":
        yield _gone(evidence)
        return
    job, now, lease_until = evidence.job, evidence.now, evidence.lease_until
    assert lease_until is not None
    if job.cancel_requested_at:
        yield Reason(
            "cancel_requested",
            f"Its cancellation was requested {since(job.cancel_requested_at, now)} ago; worker "
            f"{job.worker_id} has not ended it yet.",
            Remedy("To wait for its end:", ("job", "cancel", evidence.job_id, "--wait", "30")),
        )
    if lease_until <= now:
        yield Reason(
            "lease_expired",
            f"It was started {since(job.started_at, now)} ago on worker {job.worker_id}, whose "
            f"lease ran out {since(lease_until, now)} ago. Any living worker puts it back into "
            "its queue within two seconds.",
            recovery(evidence),
        )
    elif evidence.sees_all_workers and not _lives(evidence):
        yield Reason(
            "worker_gone",
            f"Worker {job.worker_id}, which runs it, has no heartbeat any more. Its lease runs out "
            f"in {until(lease_until, now)}; then another worker starts the job anew.",
            recovery(evidence),
        )
    else:
        yield _runs(evidence)


def recovery(evidence: Evidence) -> Remedy:
    """What to do until another worker takes a job over."""
    if evidence.workers_alive:
        return Remedy("Ask again in a moment:", ("job", "explain", evidence.job_id))
    return Remedy(
        "No worker lives, so start one:", ("worker", "run", "--queue", evidence.queue.name)
    )


def _runs(evidence: Evidence) -> Reason:
    job, now = evidence.job, evidence.now
    worker = next((one for one in evidence.workers if one.worker_id == job.worker_id), None)
    executor = evidence.executor_of(worker) if worker else None
    where = f"on worker {job.worker_id}" + (f", executor {executor}" if executor else "")
    attempt = f"attempt {job.failed_attempts + 1} of {job.max_attempts}"
    text = f"It runs: since {since(job.started_at, now)}, {attempt}, {where}."
    if job.runs_alone:
        text += (
            f" It was lost {counted(job.lost_count, 'time')} before, so it runs alone in a process:"
            " if it still waits for one that is empty, its time has not begun."
        )
    elif job.started_at:
        deadline = job.started_at + timedelta(seconds=min(job.timeout_seconds, 1e9))
        left = until(deadline, now)
        text += f" It is stopped in {left}." if deadline > now else " Its time is over."
    command = ("job", "active", "--worker", job.worker_id or "")
    return Reason("running", text, Remedy("To see how far it is:", command))


def _lives(evidence: Evidence) -> bool:
    return any(one.worker_id == evidence.job.worker_id for one in evidence.workers)


def _gone(evidence: Evidence) -> Reason:
    return Reason(
        "no_hash",
        "Somebody has a lease of it, but it has no hash any more: whatever comes of it is lost.",
        Remedy("To see what runs:", ("job", "active")),
    )
