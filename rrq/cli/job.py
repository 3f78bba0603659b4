"""`rrq job`: one job in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import options, render
from rrq.cli.groups import command_group
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.store.store import JobStore


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq job`."""
    group = command_group(app, "job", "Look at jobs.")
    group.command("show")(show)


def show(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.")],
    raw: Annotated[bool, typer.Option("--raw", help="Print the hash in Redis as JSON.")] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show a job: its state, times, arguments, result and error.

    Example: rrq job show 4e292131-ebce-4307-9b58-0f5e49c0bbf8
    """
    from rrq.cli.session import session
    from rrq.exc import JobNotFound, MalformedJob

    async def ask(store: JobStore) -> dict[str, str]:
        return await store.jobs.get_fields(job_id)

    fields = session(config, redis_dsn, ask)
    if not fields:
        raise JobNotFound(
            f"There is no job {render.printable(job_id)}: check the id, or it has expired"
        )
    if raw:
        render.print_json(fields)
        return
    try:
        described = _described(job_id, fields)
    except MalformedJob as error:
        render.warning(f"{render.printable(str(error))}. Its hash, as --raw shows it:")
        render.print_json(fields)
        return
    render.details(described, json)


def _described(job_id: str, fields: dict[str, str]) -> dict[str, Any]:
    from rrq.store.codec import job_from_hash

    job = job_from_hash(job_id, {_raw(name): _raw(value) for name, value in fields.items()})
    duration = None
    if job.start_time and job.completion_time:
        duration = render.duration((job.completion_time - job.start_time).total_seconds())
    return {
        "id": job.id,
        "status": str(job.status),
        "function": job.function_name,
        "queue": job.queue_name,
        "enqueued": job.enqueue_time,
        "due": job.next_scheduled_run_time,
        "started": job.start_time,
        "ended": job.completion_time,
        "duration": duration,
        "worker": job.worker_id,
        "failed attempts": f"{job.current_retries} of {job.max_retries or 'the default'}",
        "lost": job.lost_count,
        "args": job.job_args,
        "kwargs": job.job_kwargs,
        "result": job.result,
        "error": job.last_error,
    }


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
