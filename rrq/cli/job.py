"""`rrq job`: one job in full, what happened to it, and what an operator may do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, job_active, job_explain, job_list, options, render
from rrq.cli.groups import command_group
from rrq.cli.missing import no_job
from rrq.exc import MalformedJob, RRQError
from rrq.hookspecs import hookimpl
from rrq.wording import told_error

if TYPE_CHECKING:
    from rrq.job import Job, JobStatus
    from rrq.store.jobs import CancelAnswer, Replay
    from rrq.store.keys import Keys
    from rrq.store.store import JobStore

JobId = Annotated[
    str, typer.Argument(metavar="ID", help="The job's id.", autocompletion=candidates.job_ids)
]


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq job`."""
    group = command_group(app, "job", "Look at jobs; cancel and replay them.")
    group.command("list")(job_list.list_jobs)
    group.command("active")(job_active.active)
    group.command("show")(show)
    group.command("explain")(job_explain.explain)
    group.command("trace")(trace)
    group.command("cancel")(cancel)
    group.command("replay")(replay)


def show(
    job_id: JobId,
    raw: Annotated[bool, typer.Option("--raw", help="Print the hash in Redis as JSON.")] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show a job: its state, times, arguments, result and error.

    Example: rrq job show 4e292131-ebce-4307-9b58-0f5e49c0bbf8
    """
    fields, keys = _fields(job_id, config, redis_dsn)
    if read := read_or_show_raw(job_id, fields, raw):
        job, error_type = read
        render.details(_described(job, keys, error_type, json), json)


def trace(
    job_id: JobId,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show what happened to a job and when: each attempt, where it ran, how it ended.

    Example: rrq job trace 4e292131-ebce-4307-9b58-0f5e49c0bbf8
    """
    from dataclasses import asdict

    from rrq.timeline import timeline, total_seconds

    fields, _ = _fields(job_id, config, redis_dsn)
    job = read_job(job_id, fields)
    events, total = timeline(job, fields), total_seconds(job)
    if json:
        status = str(job.status)
        told = [asdict(event) for event in events]
        render.print_json({"id": job_id, "status": status, "events": told, "total_seconds": total})
        return
    render.table(
        ["time", "event", "duration", "attempt", "worker", "executor", "error"],
        [
            (
                event.at,
                event.name,
                render.duration(event.duration_seconds),
                event.attempt,
                event.worker,
                event.executor,
                (event.told_error or "").partition("\n")[0],
            )
            for event in events
        ],
    )
    if total is None:
        render.note(f"{job.status}, enqueued {render.ago(job.enqueue_time)}.")
    else:
        render.note(f"Total: {render.duration(total)}.")


def cancel(
    job_id: JobId,
    wait_seconds: Annotated[
        float | None,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, help="Wait at most so long for a running job's end."
        ),
    ] = None,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Cancel a job: one that waits ends at once, one that runs is asked to stop.

    Example: rrq job cancel 4e292131-ebce-4307-9b58-0f5e49c0bbf8 --wait 10
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[CancelAnswer, JobStatus | None]:
        answer = await store.jobs.cancel(job_id)
        if answer != "requested" or wait_seconds is None:
            return answer, None
        return answer, await _end(store, job_id, wait_seconds)

    answer, ended = session(config, redis_dsn, ask)
    shown = render.printable(job_id)
    if answer == "missing":
        raise no_job(job_id)
    if answer not in ("cancelled", "requested"):
        raise RRQError(f"Job {shown} has already ended {answer}")
    if ended is not None and ended != "CANCELLED":
        raise RRQError(f"Job {shown} ended {ended} before it could be stopped")
    is_over = answer == "cancelled" or ended is not None
    if json:
        render.print_json({"id": job_id, "cancelled": is_over})
    elif is_over:
        print(f"Cancelled job {shown}.")
    else:
        print(f"Job {shown} runs: asked its worker to stop it.")
    if wait_seconds is not None and not is_over:
        raise RRQError(f"Job {shown} still runs after {wait_seconds:g} s")


def replay(
    job_id: JobId,
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue",
            metavar="QUEUE",
            help="Another queue than the job's own.",
            autocompletion=candidates.queue_names,
        ),
    ] = None,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Enqueue a job anew, with the same arguments and options; prints the new id.

    Example: rrq job replay 4e292131-ebce-4307-9b58-0f5e49c0bbf8 --queue retries
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> Replay:
        return await store.jobs.replay(job_id, queue)

    new = session(config, redis_dsn, ask)
    if new.holder_id:
        holder = render.printable(new.holder_id)
        render.note(f"It has no unique key: job {holder} holds that of the old one.")
    if json:
        render.print_json(
            {
                "id": new.job_id,
                "replayed": job_id,
                "queue": new.queue,
                "due": new.due_at,
                "unique_key": new.unique_key,
            }
        )
        return
    print(new.job_id)


async def _end(store: JobStore, job_id: str, seconds: float) -> JobStatus | None:
    """The status that a job ends with; None if it has not ended within so many seconds."""
    import asyncio
    from contextlib import suppress

    from rrq.waiting import EndWatch

    watch = EndWatch(store)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await watch.wait(job_id)
    finally:
        await watch.aclose()
    return None


def _fields(job_id: str, config: str | None, redis_dsn: str | None) -> tuple[dict[str, str], Keys]:
    """The job's hash, and how keys are named there; raises JobNotFound if there is none."""
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[dict[str, str], Keys]:
        return await store.jobs.get_fields(job_id), store.keys

    fields, keys = session(config, redis_dsn, ask)
    if not fields:
        raise no_job(job_id)
    return fields, keys


def read_job(job_id: str, fields: dict[str, str]) -> Job:
    """The job that a hash describes.

    Raises:
        MalformedJob: a field cannot be read.
    """
    from rrq.store.codec import job_from_hash

    return job_from_hash(job_id, {_raw(name): _raw(value) for name, value in fields.items()})


def read_or_show_raw(
    job_id: str, fields: dict[str, str], raw: bool
) -> tuple[Job, str | None] | None:
    """The job that a hash describes, and the type of its error; None if the hash was shown in its
    place, as that is what was asked for, or all that can be done."""
    from rrq.store.error_types import error_type_of

    if not raw:
        try:
            job = read_job(job_id, fields)
            return job, error_type_of(fields.get("attempts"), job.last_error)
        except MalformedJob as error:
            render.warning(f"{render.printable(str(error))}. Its hash, as --raw shows it:")
    render.print_json(fields)
    return None


def _described(job: Job, keys: Keys, error_type: str | None, json: bool) -> dict[str, Any]:
    seconds = None
    if job.start_time and job.completion_time:
        seconds = (job.completion_time - job.start_time).total_seconds()
    return {
        "id": job.id,
        "status": str(job.status),
        "function": job.function_name,
        "queue": bare_queue(job, keys),
        "enqueued": job.enqueue_time,
        "due": job.next_scheduled_run_time,
        "started": job.start_time,
        "ended": job.completion_time,
        **({"duration seconds": seconds} if json else {"duration": render.duration(seconds)}),
        "worker": job.worker_id,
        **failed_attempts(job, json),
        "lost": job.lost_count,
        "args": job.job_args,
        "kwargs": job.job_kwargs,
        "result": job.result,
        **shown_error(job, error_type, json),
    }


def bare_queue(job: Job, keys: Keys) -> str | None:
    """The job's queue as people name it, however its producer wrote it."""
    return keys.bare_queue(job.queue_name) if job.queue_name else None


def shown_error(job: Job, error_type: str | None, json: bool) -> dict[str, Any]:
    """The last error, for `render.details`: with its type, which has its own place in JSON."""
    if json:
        return {"error": job.last_error, "error type": error_type}
    return {"error": told_error(job.last_error, error_type)}


def failed_attempts(job: Job, json: bool) -> dict[str, Any]:
    """How many attempts failed, and how many there may be, for `render.details`."""
    if json:
        return {"failed attempts": job.current_retries, "max attempts": job.max_retries}
    return {"failed attempts": f"{job.current_retries} of {job.max_retries or 'the default'}"}


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
