"""`judge`: from evidence to reasons, without a look at anything else."""

from __future__ import annotations

from collections.abc import Iterator

from rrq.explain.ended import ended
from rrq.explain.evidence import Evidence
from rrq.explain.executors import executors
from rrq.explain.reason import Reason, weight
from rrq.explain.running import running
from rrq.explain.waiting import broken, not_yet, starting, unserved


def judge(evidence: Evidence) -> list[Reason]:
    """Why the job does not run, or that it does, or did: at least one reason, the weightiest
    first."""
    return sorted(_reasons(evidence), key=weight)


def _reasons(evidence: Evidence) -> Iterator[Reason]:
    if evidence.lease_until is not None:
        yield from running(evidence)
        return
    if evidence.kind == "hash" and evidence.job.status in ("COMPLETED", "FAILED", "CANCELLED"):
        yield from ended(evidence)
        return
    found = [*broken(evidence), *not_yet(evidence)]
    if evidence.places:
        found += [*unserved(evidence), *executors(evidence)]
    yield from found or starting(evidence)
