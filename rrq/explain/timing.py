"""Whether a job is due, by the place that it has in its queue."""

from __future__ import annotations

from datetime import timedelta

from rrq.explain.evidence import Evidence

TURNED_AWAY = timedelta(seconds=1.5)
"""A due job whose executor is full, or that has no hash yet, is moved back in its queue by at
most a second, and a little for its place among others."""


def is_turned_away(evidence: Evidence) -> bool:
    """Whether it was due, and a worker put it back for a moment."""
    if not evidence.places or evidence.job.due_at is None:
        return False
    ahead = evidence.places[0].due_at - evidence.now
    return evidence.job.due_at <= evidence.now and timedelta(0) < ahead <= TURNED_AWAY


def is_due(evidence: Evidence) -> bool:
    """Whether it may start now, as far as time goes."""
    if not evidence.places:
        return False
    return evidence.places[0].due_at <= evidence.now or is_turned_away(evidence)
