"""Failures: jobs that failed for good, those with the same kind of error together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from rrq.cli.render import printable
from rrq.store.dead_letter_summary import error_pattern
from rrq.store.listing import ListedJob
from rrq_top.grid import Cell, Column, Grid, Row, Sorting
from rrq_top.snapshot import Snapshot
from rrq_top.wording import NOTHING, age, count, one_line, since

pattern_of = lru_cache(maxsize=1024)(error_pattern)
"""The same errors are looked at again and again."""

FAILURE_COLUMNS = (
    Column("error", "ERROR", least=16, most=90),
    Column("count", "JOBS", is_number=True),
    Column("last", "LAST", is_number=True),
    Column("function", "FUNCTION", least=10, most=30),
    Column("queue", "QUEUE", least=6, most=20, leaves=1),
)


@dataclass
class FailureGroup:
    """Jobs that failed with the same pattern of an error, the newest first."""

    pattern: str
    jobs: list[ListedJob] = field(default_factory=list)

    @property
    def last_at(self) -> datetime | None:
        """When the last of them failed."""
        return max((job.ended_at for job in self.jobs if job.ended_at), default=None)


def failure_groups(jobs: Iterable[ListedJob]) -> list[FailureGroup]:
    """The jobs by the pattern of their error, the newest group first."""
    groups: dict[str, FailureGroup] = {}
    for job in jobs:
        pattern = pattern_of(job.told_error or "")
        groups.setdefault(pattern, FailureGroup(pattern)).jobs.append(job)
    return list(groups.values())


def failures_pane(snapshot: Snapshot) -> Grid:
    """Jobs that failed for good within the last hour, those with the same error together."""
    failed = f"{len(snapshot.failures)}{'+' if snapshot.has_more_failures else ''}"
    return Grid(
        title="Failures",
        columns=FAILURE_COLUMNS,
        rows=tuple(_failure_row(group, snapshot.at) for group in failure_groups(snapshot.failures)),
        summary=(
            f"{failed} in the last hour, {count(snapshot.dead_letters)} in the dead letter queue"
        ),
        empty="No job failed for good in the last hour.",
        sorting=Sorting("count", is_descending=True),
    )


def _failure_row(group: FailureGroup, now: datetime) -> Row:
    ago = since(group.last_at, now)
    functions = _named([job.function_name for job in group.jobs])
    queues = _named([job.queue for job in group.jobs])
    number = len(group.jobs)
    return Row(
        key=group.pattern,
        words=" ".join([group.pattern, functions, queues, *(job.job_id for job in group.jobs)]),
        cells=(
            Cell(printable(group.pattern), "bad", group.pattern),
            Cell(count(number), order=number),
            # Sorted by it the newest are first, as the greatest are with all numbers.
            Cell(age(ago), order=None if ago is None else -ago),
            Cell(functions, order=functions),
            Cell(queues, order=queues),
        ),
    )


def _named(names: Iterable[str | None]) -> str:
    """The most frequent name, and how many others there are."""
    counts = Counter(name for name in names if name)
    if not counts:
        return NOTHING
    [(first, _)] = counts.most_common(1)
    others = len(counts) - 1
    return one_line(first) + (f" +{others}" if others else "")
