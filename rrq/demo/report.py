"""What the demo shows at its end."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rrq.cli import render
from rrq.demo.run import DemoRun
from rrq.job import Job, JobStatus

LARGEST_SHOWN = 8
FAILURES_SHOWN = 12


def show(run: DemoRun) -> None:
    """Print outcomes, speed, the largest modules and the failures."""
    print()
    render.table(["outcome", "jobs", "meaning"], _outcomes(run.jobs), title="Jobs by outcome")
    print()
    render.table(["figure", "value"], _figures(run), title="Speed")
    print()
    render.table(
        ["module", "lines", "functions", "classes"],
        _largest(run),
        title="The largest modules",
    )
    failures = [job for job in run.jobs if job.status is JobStatus.FAILED]
    if failures:
        print()
        render.table(
            ["job", "file", "attempts", "error"],
            [
                (job.id[:8], _name(job, run.folder), job.current_retries, _first_line(job))
                for job in failures[:FAILURES_SHOWN]
            ],
            title="Failures, which are in the dead letter queue: these files are not valid Python",
        )
        if len(failures) > FAILURES_SHOWN:
            print(f"… and {len(failures) - FAILURES_SHOWN} more.")


def _outcomes(jobs: Sequence[Job]) -> list[tuple[str, int, str]]:
    counts = Counter(job.status for job in jobs)
    meanings = {
        JobStatus.COMPLETED: "parsed and measured",
        JobStatus.FAILED: "failed at both attempts",
    }
    return [(str(status), count, meanings.get(status, "")) for status, count in counts.items()]


def _figures(run: DemoRun) -> list[tuple[str, str]]:
    waits = _milliseconds(run.jobs, "enqueue_time", "start_time")
    runs = _milliseconds(run.jobs, "start_time", "completion_time")
    return [
        ("executor processes", str(run.processes)),
        ("throughput", f"{len(run.jobs) / run.seconds:,.0f} jobs/s"),
        ("all jobs took", render.duration(run.seconds)),
        ("in the queue, p50 / p99", _p50_p99(waits)),
        ("from claim to result, p50 / p99", _p50_p99(runs)),
    ]


def _milliseconds(jobs: Sequence[Job], earlier: str, later: str) -> list[float]:
    spans = []
    for job in jobs:
        began: datetime | None = getattr(job, earlier)
        ended: datetime | None = getattr(job, later)
        # A retried job waited on purpose.
        if began and ended and not job.current_retries:
            spans.append((ended - began).total_seconds() * 1000)
    return spans


def _p50_p99(milliseconds: list[float]) -> str:
    if len(milliseconds) < 2:
        return "-"
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return f"{cuts[49]:,.1f} ms / {cuts[98]:,.1f} ms"


def _largest(run: DemoRun) -> list[tuple[Any, ...]]:
    measured = [job for job in run.jobs if isinstance(job.result, dict)]
    measured.sort(key=lambda job: -job.result["lines"])
    return [
        (
            _name(job, run.folder),
            job.result["lines"],
            job.result["functions"],
            job.result["classes"],
        )
        for job in measured[:LARGEST_SHOWN]
    ]


def _name(job: Job, folder: Path) -> str:
    return str(Path(job.job_args[0]).relative_to(folder))


def _first_line(job: Job) -> str:
    return (job.last_error or "").partition("\n")[0][:90]
