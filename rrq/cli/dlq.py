"""`rrq dlq`: the dead letter queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import options, render
from rrq.cli.groups import command_group
from rrq.exc import MalformedJob
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.job import Job
    from rrq.store.store import JobStore


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq dlq`."""
    group = command_group(app, "dlq", "Look at the dead letter queue.")
    group.command("list")(list_dead)


def list_dead(
    dlq_name: Annotated[
        str | None,
        typer.Option("--dlq-name", metavar="NAME", help="Which one; else the default."),
    ] = None,
    limit: options.LimitOption = 20,
    offset: options.OffsetOption = 0,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List jobs that failed for good, the newest first.

    Example: rrq dlq list --limit 50
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[int, list[tuple[str, Job | MalformedJob | None]]]:
        name = dlq_name or store.settings.default_dlq_name
        ids = await store.dead_letters.ids(name, offset, offset + limit - 1)
        jobs = [(job_id, await _found(store, job_id)) for job_id in ids]
        return await store.dead_letters.count(name), jobs

    total, jobs = session(config, redis_dsn, ask)
    rows = [_row(job_id, job, json) for job_id, job in jobs]
    columns = ["id", "function", "queue", "error", "failed at", "attempts"]
    render.table(columns, rows, json=json, empty="No dead letters here.")
    if rows and not json:
        render.note(f"Showing {offset + 1}-{offset + len(rows)} of {total}.")


async def _found(store: JobStore, job_id: str) -> Job | MalformedJob | None:
    try:
        return await store.jobs.get(job_id)
    except MalformedJob as error:
        return error


def _row(job_id: str, job: Job | MalformedJob | None, json: bool) -> tuple[Any, ...]:
    if job is None:
        return (job_id, None, None, "(its hash has expired)", None, None)
    if isinstance(job, MalformedJob):
        return (job_id, None, None, f"({job})", None, None)
    error = job.last_error if json else (job.last_error or "").partition("\n")[0]
    return (
        job.id,
        job.function_name,
        job.queue_name,
        error,
        job.completion_time,
        job.current_retries,
    )
