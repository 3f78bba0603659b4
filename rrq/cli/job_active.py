"""`rrq job active`: what runs at this moment, where, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, options, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rrq.store.active import ActiveJob, ActivePage
    from rrq.store.store import JobStore

COLUMNS = [
    "id",
    "function",
    "queue",
    "worker",
    "executor",
    "started",
    "attempt",
    "deadline",
    "progress",
    "lease left",
]

PROGRESS = ("current", "total", "message")


def active(
    queue: options.QueueOption = None,
    worker: Annotated[
        str | None,
        typer.Option(
            "--worker",
            metavar="ID",
            help="Only jobs of this worker.",
            autocompletion=candidates.worker_ids,
        ),
    ] = None,
    limit: options.LimitOption = 50,
    max_scan: options.MaxScanOption = 1000,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the jobs that run, the longest running first: where and since when.

    Example: rrq job active --queue mail --limit 10
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> ActivePage:
        return await store.active.page(
            queue=queue, worker_id=worker, limit=limit, max_scan=max_scan
        )

    page = session(config, redis_dsn, ask)
    if json:
        render.print_json([_as_json(job) for job in page.jobs])
    else:
        render.table(
            COLUMNS, [_row(job, page.now) for job in page.jobs], empty="No job that runs fits."
        )
        if len(page.jobs) < page.fitting:
            render.note(f"Showing the first {len(page.jobs)} of {page.fitting}: raise --limit.")
    if page.seen < page.total:
        render.note(
            f"Looked at {page.seen} of {page.total} running jobs; --max-scan 0 looks at all."
        )


def _row(job: ActiveJob, now: datetime) -> tuple[Any, ...]:
    deadline = render.ago(job.deadline_at, now)
    if job.cancel_requested_at:
        deadline = f"cancel requested {render.ago(job.cancel_requested_at, now)}"
    return (
        job.job_id,
        job.function_name,
        job.queue,
        job.worker_id,
        job.executor,
        job.started_at,
        f"{job.attempt} of {job.max_attempts}" if job.attempt else None,
        deadline,
        shown_progress(job.progress),
        render.duration((job.lease_until - now).total_seconds()),
    )


def shown_progress(progress: Mapping[str, Any]) -> str:
    """What a handler reported, as in `3 of 10, third page`."""
    current, total, message = (progress.get(name) for name in PROGRESS)
    amount = (
        None if current is None else f"{_cut(current)}" + (f" of {_cut(total)}" if total else "")
    )
    return ", ".join(filter(None, [amount, _cut(message) if message else None]))


def _cut(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:80]


def _as_json(job: ActiveJob) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "function": job.function_name,
        "queue": job.queue,
        "worker": job.worker_id,
        "executor": job.executor,
        "started": job.started_at,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "deadline": job.deadline_at,
        "progress": {key: job.progress.get(key) for key in PROGRESS} if job.progress else None,
        "lease_until": job.lease_until,
        "cancel_requested": job.cancel_requested_at,
    }
