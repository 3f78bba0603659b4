"""Errors about what is not there: what it is called, and where to look for what is."""

from __future__ import annotations

from collections.abc import Iterable

from rrq.cli import render
from rrq.exc import JobNotFound, RRQError
from rrq.suggestion import did_you_mean


def no_job(job_id: str) -> JobNotFound:
    """There is no job of this id."""
    return JobNotFound(f"There is no job {named(job_id)}: check the id, or it has expired")


def no_queue(name: str, known: Iterable[str]) -> RRQError:
    """There is no queue of this bare name."""
    guess = did_you_mean(name, list(known)) or " `rrq queue list --show-empty` shows all."
    return RRQError(f"There is no queue {named(name)}.{guess}")


def no_cron_job(name: str, known: Iterable[str]) -> RRQError:
    """No cron job of this name is configured."""
    guess = did_you_mean(name, list(known)) or " `rrq cron list` shows those that are configured."
    return RRQError(f"There is no cron job {named(name)}.{guess}")


def named(text: str) -> str:
    """What somebody typed, so that it can be seen even if it is nothing."""
    return render.printable(text) or "''"
