"""`rrq job list`: jobs in every state, the newest first, chosen by what is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, options, render
from rrq.cli.moments import moment, span
from rrq.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rrq.job import JobStatus
    from rrq.store.listing import Listed, ListedJob
    from rrq.store.store import JobStore

COLUMNS = ["id", "function", "queue", "status", "enqueued", "started", "ended", "seconds", "error"]


def list_jobs(
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="pending, active, retrying, completed, failed or cancelled; may be repeated.",
            autocompletion=candidates.statuses,
        ),
    ] = None,
    queue: options.QueueOption = None,
    function: options.FunctionOption = None,
    error: options.ErrorOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Changed since: 1h (ago), or an RFC 3339 time."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="TIME", help="Changed until: 1h (ago), or an RFC 3339 time."
        ),
    ] = None,
    limit: options.LimitOption = 20,
    offset: options.OffsetOption = 0,
    max_scan: options.MaxScanOption = 1000,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List jobs, the newest first: those that wait, run, or ended within their TTL.

    Example: rrq job list --status failed --since 1h --function send_email
    """
    from rrq.cli.session import session
    from rrq.store.listing import Choice

    statuses = _statuses(status or [])
    first = None if since is None else moment(since, "--since")
    last = None if until is None else moment(until, "--until")

    async def ask(store: JobStore) -> Listed:
        since_at, until_at = span(first, last, await store.now())
        choice = Choice(
            statuses=frozenset(statuses),
            queue=None if queue is None else store.keys.bare_queue(queue),
            function=function,
            since=since_at,
            until=until_at,
            error=error,
        )
        return await store.listing.page(
            choice,
            limit=limit,
            offset=offset,
            queues=[store.keys.bare_queue(store.settings.default_queue_name)],
            max_scan=max_scan,
        )

    listed = session(config, redis_dsn, ask)
    _show(listed, offset, json)


def _statuses(names: Sequence[str]) -> list[JobStatus]:
    from rrq.job import JobStatus

    known = [status.lower() for status in JobStatus]
    for name in names:
        if name.lower() not in known:
            raise typer.BadParameter(
                f"{name!r} is no status: {', '.join(known)}.{did_you_mean(name.lower(), known)}",
                param_hint="--status",
            )
    return [JobStatus(name.upper()) for name in names]


def _show(listed: Listed, offset: int, json: bool) -> None:
    columns = [*COLUMNS, "error type"] if json else COLUMNS
    rows = [_row(job, json) for job in listed.jobs]
    render.table(columns, rows, json=json, empty="No job fits.")
    looked = listed.looked
    if looked.seen < looked.total:
        render.note(
            f"Looked at {looked.seen} of {looked.total} jobs that wait or run; "
            "--max-scan 0 looks at all."
        )
    if looked.left_off:
        render.note("Older jobs that ended were not searched for the text; --max-scan 0 does.")
    if listed.has_more and not json:
        shown = len(listed.jobs)
        render.note(f"There are more: --offset {offset + shown} goes on.")


def _row(job: ListedJob, json: bool) -> tuple[Any, ...]:
    times = (job.enqueued_at, job.started_at, job.ended_at)
    cells = (job.job_id, job.function_name, job.queue, job.status, *times)
    if json:
        return (*cells, job.duration_seconds, job.error, job.error_type)
    error = (job.told_error or "").partition("\n")[0]
    return (*cells, _rounded(job.duration_seconds), error)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
