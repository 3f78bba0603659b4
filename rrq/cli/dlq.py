"""`rrq dlq`: the dead letter queue. What changes it is in `dlq_sweep.py`."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, dlq_sweep, options, render
from rrq.cli.dead_letters import (
    COLUMNS,
    JSON_COLUMNS,
    Choice,
    DlqNameOption,
    SinceOption,
    UntilOption,
    dlq_of,
)
from rrq.cli.groups import command_group
from rrq.cli.job import bare_queue, failed_attempts, read_job, read_or_show_raw, shown_error
from rrq.cli.missing import named, no_job
from rrq.exc import JobNotFound, MalformedJob
from rrq.hookspecs import hookimpl
from rrq.wording import told_error

if TYPE_CHECKING:
    from collections import Counter

    from rrq.job import Job
    from rrq.store.dead_letter_summary import Summary
    from rrq.store.keys import Keys
    from rrq.store.store import JobStore

READ_AT_ONCE = 100


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq dlq`."""
    group = command_group(app, "dlq", "Look at the dead letter queue, and empty it.")
    group.command("list")(list_dead)
    group.command("stats")(stats)
    group.command("inspect")(inspect)
    dlq_sweep.add_to(group)


def list_dead(
    dlq_name: DlqNameOption = None,
    queue: options.QueueOption = None,
    function: options.FunctionOption = None,
    error: options.ErrorOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: options.LimitOption = 20,
    offset: options.OffsetOption = 0,
    raw: Annotated[bool, typer.Option("--raw", help="Print their hashes as JSON.")] = False,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, max=10_000, help="Read so many at a time.")
    ] = READ_AT_ONCE,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List jobs that failed for good, the newest first.

    Example: rrq dlq list --function send_email --error timeout --since 1h
    """
    from rrq.cli.session import session

    choice = Choice(queue, function, error, since, until)

    async def ask(store: JobStore) -> tuple[str, int | None, list[Any]]:
        name = dlq_of(store, dlq_name)
        if choice.is_everything:
            ids = await store.dead_letters.ids(name, offset, offset + limit - 1)
            total: int | None = await store.dead_letters.count(name)
        else:
            ids, total = await _fitting(store, name, choice, offset, limit, batch_size)
        if raw:
            return name, total, [await _hash(store, job_id) for job_id in ids]
        return name, total, [await _row(store, job_id, json) for job_id in ids]

    name, total, jobs = session(config, redis_dsn, ask)
    if raw:
        render.print_json(jobs)
    else:
        columns = JSON_COLUMNS if json else COLUMNS
        fits = "" if choice.is_everything else " fits"
        empty = f"No dead letter in {named(name)}{fits}."
        render.table(columns, jobs, json=json, empty=empty)
    if jobs and not json and not raw:
        of = f"of {total}." if total is not None else "and there are more."
        render.note(f"Showing {offset + 1}-{offset + len(jobs)} {of}")


def stats(
    dlq_name: DlqNameOption = None,
    top: Annotated[
        int, typer.Option("--top", min=1, help="Show so many queues, functions and errors.")
    ] = 10,
    max_scan: options.MaxScanOption = 1000,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show what dead letters have in common: queues, functions, kinds of errors.

    Example: rrq dlq stats --top 5 --max-scan 0
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[str, int, Summary]:
        name = dlq_of(store, dlq_name)
        total = await store.dead_letters.count(name)
        return name, total, await _summary(store, name, min(total, max_scan or total))

    name, total, summary = session(config, redis_dsn, ask)
    _show_summary(name, total, summary, top, json)
    if summary.total < total:
        render.note(
            f"Looked at the newest {summary.total} of {total} dead letters; "
            "--max-scan 0 looks at all."
        )


def inspect(
    job_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The job's id.", autocompletion=candidates.dead_job_ids),
    ],
    raw: Annotated[bool, typer.Option("--raw", help="Print the hash in Redis as JSON.")] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show a dead letter whole: its arguments, its error and every attempt.

    Example: rrq dlq inspect 4e292131-ebce-4307-9b58-0f5e49c0bbf8
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[dict[str, str], str, Keys]:
        fields = await store.jobs.get_fields(job_id)
        return fields, dlq_of(store, fields.get("dlq_name")), store.keys

    fields, dlq_name, keys = session(config, redis_dsn, ask)
    if not fields:
        raise no_job(job_id)
    if fields.get("status") != "FAILED":
        raise JobNotFound(
            f"Job {render.printable(job_id)} is no dead letter, it is "
            f"{render.printable(fields.get('status', '-'))}: see `rrq job show`"
        )
    if not (read := read_or_show_raw(job_id, fields, raw)):
        return
    job, error_type = read
    described = _described(job, dlq_name, keys, error_type, json)
    attempts = _attempts(fields.get("attempts"))
    if json:
        render.details({**described, "attempts": attempts}, json)
        return
    render.details(described)
    if attempts:
        print()
        columns = ["attempt", "outcome", "started", "ended", "executor", "worker", "error"]
        render.table(columns, map(_attempt_row, attempts))


async def _fitting(
    store: JobStore, name: str, choice: Choice, offset: int, limit: int, at_once: int
) -> tuple[list[str], int | None]:
    """The ids of one page of those that fit, and how many fit if all had to be read anyway."""
    wanted = await choice.wanted(store)
    ids: list[str] = []
    found = store.dead_letters.letters(name, at_once=at_once, with_types=wanted.error is not None)
    async with aclosing(found) as batches:
        async for letters in batches:
            ids += [
                letter.job_id for letter in letters if not letter.is_expired and wanted.fits(letter)
            ]
            if len(ids) > offset + limit:
                return ids[offset : offset + limit], None
    return ids[offset : offset + limit], len(ids)


async def _summary(store: JobStore, name: str, count: int) -> Summary:
    """What the newest `count` dead letters have in common."""
    from rrq.store.dead_letter_summary import Summary

    summary = Summary()
    at_once = max(1, min(count, 1000))
    with render.progress(count, "Reading dead letters") as advance:
        # Those who come in meanwhile push the others on: the newest are read a page at a time.
        found = store.dead_letters.letters(name, at_once=at_once, with_types=True)
        async with aclosing(found) as pages:
            async for letters in pages:
                summary.add(letters[: count - summary.total])
                advance(len(letters))
                if summary.total >= count:
                    break
    return summary


async def _hash(store: JobStore, job_id: str) -> dict[str, str]:
    try:
        return await store.jobs.get_fields(job_id) or {"id": job_id}
    except MalformedJob:
        return {"id": job_id}


async def _row(store: JobStore, job_id: str, json: bool) -> list[Any]:
    """A dead letter's cells under `COLUMNS` or `JSON_COLUMNS`, as far as it can be read."""
    from rrq.store.error_types import error_type_of

    try:
        fields = await store.jobs.get_fields(job_id)
        job = read_job(job_id, fields) if fields else None
    except MalformedJob as error:
        return _unread_row(job_id, f"({error})", json)
    if job is None:
        return _unread_row(job_id, "(its hash has expired)", json)
    error_type = error_type_of(fields.get("attempts"), job.last_error)
    cells = [job.id, job.function_name, bare_queue(job, store.keys)]
    death = [job.completion_time, job.current_retries]
    if json:
        return [*cells, job.last_error, *death, error_type]
    return [*cells, (told_error(job.last_error, error_type) or "").partition("\n")[0], *death]


def _unread_row(job_id: str, why: str, json: bool) -> list[Any]:
    row = [job_id, None, None, why, None, None]
    return [*row, None] if json else row


def _show_summary(name: str, total: int, summary: Summary, top: int, json: bool) -> None:
    average = summary.average_failed_attempts
    overview = {
        "dead letter queue": name,
        "total": total,
        "seen": summary.total,
        "expired": summary.expired,
        "oldest": summary.oldest,
        "newest": summary.newest,
        "average attempts": None if average is None else round(average, 2),
    }
    errors = [
        (count, pattern, *summary.examples[pattern])
        for pattern, count in summary.errors.most_common(top)
    ]
    if json:
        columns = ("count", "pattern", "example_id", "example")
        lists = {
            "queues": _counted("queue", summary.queues, top),
            "functions": _counted("function", summary.functions, top),
            "errors": [dict(zip(columns, error, strict=True)) for error in errors],
        }
        render.details({**overview, **lists}, json)
        return
    render.details(overview)
    if not summary.functions:
        return
    for column, counter in (("queue", summary.queues), ("function", summary.functions)):
        print()
        render.table(["jobs", column], [(count, one) for one, count in counter.most_common(top)])
    print()
    render.table(["jobs", "error", "example id", "example"], errors)


def _counted(what: str, counter: Counter[str], top: int) -> list[dict[str, Any]]:
    return [{what: one, "count": count} for one, count in counter.most_common(top)]


def _described(
    job: Job, dlq_name: str, keys: Keys, error_type: str | None, json: bool
) -> dict[str, Any]:
    return {
        "id": job.id,
        "function": job.function_name,
        "queue": bare_queue(job, keys),
        "dead letter queue": dlq_name,
        **shown_error(job, error_type, json),
        "failed at": job.completion_time,
        **failed_attempts(job, json),
        "lost": job.lost_count,
        "enqueued": job.enqueue_time,
        "due": job.next_scheduled_run_time,
        "started": job.start_time,
        "worker": job.worker_id,
        "timeout": job.job_timeout_seconds,
        "unique key": job.job_unique_key,
        "args": job.job_args,
        "kwargs": job.job_kwargs,
        "trace context": job.trace_context,
    }


def _attempt_row(attempt: dict[str, Any]) -> list[Any]:
    from rrq.store.error_types import type_in

    error = attempt.get("error")
    if isinstance(error, str):
        error = told_error(error, type_in(attempt))
    keys = ("attempt", "outcome", "started_at", "ended_at", "executor", "worker")
    return [*map(attempt.get, keys), error]


def _attempts(text: str | None) -> list[dict[str, Any]]:
    """The history, as far as it can be read: anybody may have written it."""
    from json import loads

    try:
        attempts = loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    if not isinstance(attempts, list):
        return []
    return [
        {
            key: render.time_or_text(value) if key.endswith("_at") else value
            for key, value in attempt.items()
        }
        for attempt in attempts
        if isinstance(attempt, dict)
    ]
