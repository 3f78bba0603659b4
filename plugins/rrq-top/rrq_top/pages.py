"""Pages: what is shown of one queue, function, job or kind of failure, as lines and a grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from rrq.cli.render import printable
from rrq.store.active import ActiveJob
from rrq.store.listing import ListedJob
from rrq.store.queues import Waiting
from rrq.store.statistics import Window
from rrq_top.failures import FailureGroup
from rrq_top.figures import percentile, totals_line, windows_lines
from rrq_top.grid import Cell, Column, Grid, Row, Sorting, Tone
from rrq_top.headline import Span
from rrq_top.inside import (
    CronInside,
    CronSlot,
    FunctionInside,
    FunctionsInside,
    QueueInside,
    WorkerInside,
)
from rrq_top.panes import executor_told
from rrq_top.wording import (
    NOTHING,
    age,
    count,
    counted,
    one_line,
    rate,
    since,
    told_progress,
)


@dataclass(frozen=True, slots=True)
class Page:
    """What one screen shows.

    Attributes:
        title: what it is about; empty if the grid's own says it.
        lines: what stands above the grid.
        grid: rows to choose from, if there are any; the key of each is a job's id or a function.
    """

    title: str
    lines: list[list[Span]] = field(default_factory=list)
    grid: Grid | None = None


# -- queues and functions ---------------------------------------------------------------


def queue_page(inside: QueueInside) -> Page:
    """A queue: its figures, and its jobs that run, wait or have ended."""
    size = inside.size
    facts: list[Span] = [("waiting ", "dim"), (count(size.waiting if size else 0), "plain")]
    if size and size.due:
        oldest = age(since(size.first_due_at, inside.at))
        facts += [("  due ", "dim"), (f"{count(size.due)}, the oldest for {oldest}", "plain")]
    elif size and size.waiting:
        first = age(-(since(size.first_due_at, inside.at) or 0))
        facts += [("  first due in ", "dim"), (first, "plain")]
    if size and size.is_paused:
        facts.append(("  paused", "warning"))
    rows = [
        *(_running_row(job, inside.at) for job in inside.running),
        *(_waiting_row(waiting, job, inside.at) for waiting, job in inside.waiting),
        *(_ended_row(job, inside.at) for job in inside.ended),
    ]
    return Page(
        title=f"Queue {printable(inside.name)}",
        lines=[facts, totals_line(inside.totals), *windows_lines(inside.windows)],
        grid=_jobs_grid(
            rows,
            f"{len(inside.running)} running, {len(inside.waiting)} waiting, "
            f"{len(inside.ended)} ended",
        ),
    )


def worker_page(inside: WorkerInside) -> Page:
    """A worker: what its heartbeat tells, and the jobs that it runs."""
    title = f"Worker {printable(inside.worker_id)}"
    grid = _jobs_grid(
        [_running_row(job, inside.at) for job in inside.running],
        f"{count(inside.running_count)} running",
    )
    worker = inside.worker
    if worker is None:
        gone = "It has no heartbeat any more: it has ended, or its machine is cut off."
        return Page(title, [[(gone, "bad")]], grid)
    serving = worker.serving
    up = age(since(worker.started_at, inside.at))
    counts = ", ".join(
        f"{count(number)} {one_line(name)}" for name, number in worker.counts.items()
    )
    facts = [
        ("status", one_line(serving.status)),
        ("place", f"{one_line(serving.host)}, process {serving.pid or NOTHING}, up {up}"),
        ("heartbeat", f"{age(worker.heartbeat_age_seconds)} ago"),
        ("queues", one_line(", ".join(serving.queues))),
        (
            "jobs",
            f"{count(worker.in_flight)} of {count(worker.capacity)}; since it started: "
            + (counts or "none"),
        ),
    ]
    lines: list[list[Span]] = [[(f"{name:<10}", "dim"), (told, "plain")] for name, told in facts]
    for state in serving.executors.values():
        lines.append([("executor  ", "dim"), (one_line(executor_told(state)), "plain")])
        if state.last_error:
            lines.append([("          ", "dim"), (one_line(state.last_error), "warning")])
    return Page(title, lines, grid)


def function_page(inside: FunctionInside) -> Page:
    """A function: its figures, and its jobs that ended last."""
    return Page(
        title=f"Function {printable(inside.name)}",
        lines=[totals_line(inside.totals), *windows_lines(inside.windows)],
        grid=_jobs_grid(
            [_ended_row(job, inside.at) for job in inside.ended],
            f"{len(inside.ended)} that ended last",
        ),
    )


FUNCTION_COLUMNS = (
    Column("function", "FUNCTION", least=16, most=60),
    Column("rate", "DONE/S", is_number=True),
    Column("failed", "FAIL/M", is_number=True),
    Column("retried", "RETRY/M", is_number=True, leaves=1),
    Column("wait", "WAIT95", is_number=True),
    Column("run50", "RUN50", is_number=True, leaves=2),
    Column("run", "RUN95", is_number=True),
)


def functions_page(inside: FunctionsInside) -> Page:
    """The functions that were active last, over the last five minutes."""
    rows = [_function_row(name, window) for name, window in inside.windows.items()]
    summary = counted(inside.known, "function")
    if inside.known > len(rows):
        summary += f", the {len(rows)} active last"
    grid = Grid(
        title="Functions",
        columns=FUNCTION_COLUMNS,
        rows=tuple(rows),
        summary=f"{summary}; the last 5 minutes",
        empty="No function was counted yet.",
        sorting=Sorting("rate", is_descending=True),
    )
    return Page(title="", grid=grid)


def _function_row(name: str, window: Window) -> Row:
    minutes = window.minutes
    failed, retried = window.events["failed"] / minutes, window.events["retried"] / minutes
    per_second = window.per_second("completed")
    return Row(
        key=name,
        words=name,
        cells=(
            Cell(one_line(name), "strong", name),
            Cell(rate(per_second), order=per_second),
            Cell(rate(failed), "bad" if failed else "dim", failed),
            Cell(rate(retried), "warning" if retried else "dim", retried),
            percentile(window.wait, 95),
            percentile(window.run, 50),
            percentile(window.run, 95),
        ),
    )


CRON_COLUMNS = (
    Column("name", "CRON JOB", least=10, most=40),
    Column("next", "NEXT IN", is_number=True),
    Column("last", "LAST AGO", is_number=True),
    Column("schedule", "SCHEDULE", least=9, most=30),
    Column("zone", "ZONE", least=5, most=24, leaves=1),
    Column("function", "FUNCTION", least=10, most=30),
    Column("queue", "QUEUE", least=6, most=20, leaves=2),
)


def cron_page(inside: CronInside) -> Page:
    """The cron jobs, the one that comes next first."""
    slots = sorted(inside.slots, key=lambda slot: slot.next_at)
    grid = Grid(
        title="Cron jobs",
        columns=CRON_COLUMNS,
        rows=tuple(_cron_row(slot, inside.at) for slot in slots),
        summary=counted(len(slots), "cron job"),
        empty="No cron job is configured: add [[rrq.cron_jobs]] to rrq.toml.",
        sorting=Sorting("next"),
    )
    return Page(title="", grid=grid)


def _cron_row(slot: CronSlot, now: datetime) -> Row:
    coming, ago = -(since(slot.next_at, now) or 0.0), since(slot.last_at, now)
    return Row(
        key=slot.name,
        words=" ".join([slot.name, slot.function_name, slot.queue]),
        cells=(
            Cell(one_line(slot.name), "strong", slot.name),
            Cell(age(coming), order=coming),
            Cell(age(ago), order=ago),
            Cell(one_line(slot.schedule), order=slot.schedule),
            Cell(one_line(slot.zone), order=slot.zone),
            Cell(one_line(slot.function_name), order=slot.function_name),
            Cell(one_line(slot.queue), order=slot.queue),
        ),
    )


# -- kinds of failure -------------------------------------------------------------------


def failure_page(group: FailureGroup, now: datetime) -> Page:
    """Jobs that failed with the same error."""
    newest = group.jobs[0]
    functions = Counter(job.function_name or NOTHING for job in group.jobs)
    named = ", ".join(f"{one_line(name)} {number}" for name, number in functions.most_common(5))
    return Page(
        title=f"Failure {printable(group.pattern)}",
        lines=[
            [("for example ", "dim"), (one_line(newest.told_error), "bad")],
            [("functions   ", "dim"), (named, "plain")],
        ],
        grid=_jobs_grid(
            [_ended_row(job, now) for job in group.jobs], counted(len(group.jobs), "job")
        ),
    )


# -- lists of jobs ----------------------------------------------------------------------

JOB_COLUMNS = (
    Column("job", "JOB", least=8, most=36),
    Column("function", "FUNCTION", least=10, most=40),
    Column("status", "STATUS", least=9),
    Column("when", "WHEN", is_number=True),
    Column("took", "TOOK", is_number=True, leaves=2),
    Column("failed", "FAILED", is_number=True, leaves=1),
    Column("told", "ERROR OR PROGRESS", least=10, most=80),
)


def _jobs_grid(rows: Iterable[Row], summary: str) -> Grid:
    # As they come: what runs, then what waits by due time, then what ended, the newest first.
    return Grid(
        title="Jobs",
        columns=JOB_COLUMNS,
        rows=tuple({row.key: row for row in rows}.values()),
        summary=summary,
        empty="No job.",
    )


def _running_row(job: ActiveJob, now: datetime) -> Row:
    seconds = since(job.started_at, now)
    retries = None if job.attempt is None else job.attempt - 1
    return _job_row(
        job.job_id,
        job.function_name,
        Cell("ACTIVE", "good", "ACTIVE"),
        seconds,
        f"{age(seconds)} ago" if seconds is not None else NOTHING,
        Cell(age(seconds), order=seconds),
        retries,
        Cell(told_progress(job.progress), order=told_progress(job.progress)),
    )


def _waiting_row(waiting: Waiting, job: ListedJob | None, now: datetime) -> Row:
    seconds = since(waiting.due_at, now) or 0.0
    status = job.status if job else "NO HASH"
    tone: Tone = "bad" if job is None else "warning" if status == "RETRYING" else "plain"
    return _job_row(
        waiting.job_id,
        job.function_name if job else None,
        Cell(one_line(status), tone, status),
        seconds,
        f"due {age(seconds)}" if seconds > 0 else f"in {age(-seconds)}",
        Cell(NOTHING),
        job.retries if job else None,
        Cell(one_line(job.told_error if job else None), "warning"),
    )


def _ended_row(job: ListedJob, now: datetime) -> Row:
    seconds = since(job.ended_at, now)
    took = job.duration_seconds
    tone: Tone = "bad" if job.status == "FAILED" else "dim"
    return _job_row(
        job.job_id,
        job.function_name,
        Cell(one_line(job.status), tone, job.status),
        seconds,
        f"{age(seconds)} ago" if seconds is not None else NOTHING,
        Cell(age(took), order=took),
        job.retries,
        Cell(one_line(job.told_error), tone, job.told_error),
    )


def _job_row(
    job_id: str,
    function_name: str | None,
    status: Cell,
    seconds: float | None,
    when: str,
    took: Cell,
    failed_attempts: int | None,
    told: Cell,
) -> Row:
    return Row(
        key=job_id,
        words=" ".join([job_id, function_name or "", status.text, told.text]),
        cells=(
            Cell(one_line(job_id), "strong", job_id),
            Cell(one_line(function_name), order=function_name),
            status,
            Cell(when, order=seconds),
            took,
            Cell(
                count(failed_attempts) if failed_attempts else NOTHING,
                "warning" if failed_attempts else "dim",
                failed_attempts,
            ),
            told,
        ),
    )
