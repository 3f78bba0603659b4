"""`CronEntry`: a configured cron job, with its name and its schedule, ready to be ticked."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rrq.exc import ConfigError
from rrq.job_request import JobRequest
from rrq.schedule import Schedule

if TYPE_CHECKING:
    from rrq.settings import CronJob, RRQSettings


@dataclass(frozen=True, slots=True)
class CronEntry:
    """One cron job.

    Attributes:
        name: its `name`, else its function's; with a mark of its definition where several
            nameless jobs share a function.
        zone_name: the time zone of its schedule; None is the machine's own.
    """

    name: str
    job: CronJob
    schedule: Schedule
    zone_name: str | None

    @property
    def definition(self) -> str:
        """Schedule and zone as one text: when it changes, the slots are counted anew."""
        return f"{self.job.schedule} {self.zone_name or 'local'}"

    def request(self) -> JobRequest:
        """The job of one slot."""
        return JobRequest(
            self.job.function_name,
            self.job.args,
            self.job.kwargs,
            queue_name=self.job.queue_name,
            unique_key=f"cron:{self.name}" if self.job.unique else None,
        )


def cron_entries(
    settings: RRQSettings, origins: Mapping[str, str] | None = None
) -> list[CronEntry]:
    """The configured cron jobs.

    Args:
        origins: by dotted key, where a value comes from, for the message.

    Raises:
        ConfigError: a schedule or time zone cannot be used, or two jobs share a name.
    """
    entries, problems = [], []
    for number, name in enumerate(_names(settings.cron_jobs)):
        job = settings.cron_jobs[number]
        zone_name = job.timezone or settings.timezone
        try:
            entries.append(CronEntry(name, job, Schedule(job.schedule, zone_name), zone_name))
        except ValueError as error:
            place = (origins or {}).get(f"cron_jobs[{number}].schedule")
            problems.append(f"{f'{place}: ' if place else ''}[[rrq.cron_jobs]] '{name}': {error}")
    counts = Counter(entry.name for entry in entries)
    problems += [
        f"[[rrq.cron_jobs]]: {count} jobs are named '{name}'; give each a `name` of its own"
        for name, count in counts.items()
        if count > 1
    ]
    if problems:
        raise ConfigError.of(problems)
    return entries


def _names(jobs: list[CronJob]) -> list[str]:
    nameless = Counter(job.function_name for job in jobs if not job.name)
    return [
        job.name
        or (
            job.function_name
            if nameless[job.function_name] == 1
            else f"{job.function_name}:{_mark(job)}"
        )
        for job in jobs
    ]


def _mark(job: CronJob) -> str:
    definition = json.dumps([job.schedule, job.args, job.kwargs, job.queue_name], default=str)
    return hashlib.sha1(definition.encode(), usedforsecurity=False).hexdigest()[:8]
