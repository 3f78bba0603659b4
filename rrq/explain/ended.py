"""A job that has ended: when, where it is now, and how to run it again."""

from __future__ import annotations

from collections.abc import Iterator

from rrq.cli.render import duration
from rrq.explain.evidence import Evidence
from rrq.explain.executors import unknown_executor, unknown_handler
from rrq.explain.reason import Reason, Remedy
from rrq.explain.wording import clock, first_line, since
from rrq.wording import counted, sentence

_NO_HANDLER = "No handler registered"
_NO_EXECUTOR = "No executor configured"


def ended(evidence: Evidence) -> Iterator[Reason]:
    """What became of a job whose status is final."""
    match evidence.job.status:
        case "COMPLETED":
            yield Reason("completed", _completed(evidence), again(evidence))
        case "FAILED":
            yield from _failed(evidence)
        case "CANCELLED":
            text = f"It was CANCELLED{_when(evidence)}.{_kept(evidence)}"
            yield Reason("cancelled", text, again(evidence))


def again(evidence: Evidence) -> Remedy:
    """Enqueue the same as a new job."""
    return Remedy("To run it as a new job:", ("job", "replay", evidence.job_id))


def _completed(evidence: Evidence) -> str:
    job = evidence.job
    where = f" on worker {job.worker_id}" if job.worker_id else ""
    attempt = f", at attempt {job.failed_attempts + 1}{where}"
    return f"It COMPLETED{_when(evidence)}{attempt}.{_kept(evidence)}"


def _failed(evidence: Evidence) -> Iterator[Reason]:
    job = evidence.job
    attempts = counted(job.failed_attempts, "failed attempt")
    error = sentence(first_line(job.told_error) or "no error is known")
    text = f"It FAILED{_when(evidence)} after {attempts}: {error}"
    if evidence.is_dead_letter:
        place = f" It is in the dead letter queue {evidence.dlq}."
        command = ("dlq", "requeue", "--dlq-name", evidence.dlq, "--job-id", evidence.job_id)
        remedy = Remedy("When the cause is mended, to run it again:", command)
    else:
        place = f" It is not among the newest entries of the dead letter queue {evidence.dlq}."
        remedy = again(evidence)
    yield Reason("failed", f"{text}{place}{_kept(evidence)}", remedy)
    if (job.last_error or "").startswith(_NO_HANDLER):
        yield from unknown_handler(evidence)
    if (job.last_error or "").startswith(_NO_EXECUTOR):
        yield from unknown_executor(evidence)


def _when(evidence: Evidence) -> str:
    at = evidence.job.ended_at
    return f" {since(at, evidence.now)} ago ({clock(at)})" if at else ""


def _kept(evidence: Evidence) -> str:
    seconds = evidence.expires_seconds
    return "" if seconds is None else f" It is kept for another {duration(seconds)}."
