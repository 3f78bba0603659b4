"""`rrq cron`: what is configured to run when, and running it now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, options, render
from rrq.cli.groups import command_group
from rrq.cli.missing import no_cron_job
from rrq.exc import RRQError
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.config import LoadedSettings
    from rrq.cron import CronEntry
    from rrq.store.jobs import Enqueued
    from rrq.store.store import JobStore


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq cron`."""
    group = command_group(app, "cron", "Look at cron jobs, and run one now.")
    group.command("list")(list_entries)
    group.command("run")(run)


def list_entries(
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the configured cron jobs, each with its last and its next slot.

    Example: rrq cron list
    """
    from rrq.cli.session import session
    from rrq.cron import cron_entries

    loaded = options.load(config, redis_dsn)
    entries = cron_entries(loaded.settings, loaded.origins)

    async def ask(store: JobStore) -> list[tuple[Any, ...]]:
        now = await store.now()
        return [
            (
                entry.name,
                entry.job.schedule,
                entry.zone_name or "local",
                entry.job.function_name,
                _queue(entry, store),
                await store.cron.last_slot(entry.name),
                entry.schedule.next_after(now),
                entry.job.unique,
                entry.job.misfire,
            )
            for entry in entries
        ]

    columns = ["name", "schedule", "zone", "function", "queue"]
    render.table(
        [*columns, "last slot", "next slot", "unique", "misfire"],
        session(config, redis_dsn, ask, loaded),
        json=json,
        empty="No cron job is configured: add [[rrq.cron_jobs]] to rrq.toml.",
    )


def run(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The cron job, as `rrq cron list` names it.",
            autocompletion=candidates.cron_names,
        ),
    ],
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Enqueue the job of a cron job now, beside its slots; prints the job's id.

    Example: rrq cron run "nightly report"
    """
    from uuid import uuid4

    from rrq.cli.session import session
    from rrq.job_request import new_job

    loaded = options.load(config, redis_dsn)
    entry = _entry(name, loaded)

    async def ask(store: JobStore) -> tuple[str, Enqueued]:
        new = new_job(entry.request(), str(uuid4()), store.settings, store.keys)
        [answer] = await store.jobs.enqueue([new])
        return new.queue, answer

    queue, answer = session(config, redis_dsn, ask, loaded)
    shown = render.printable(answer.job_id)
    if answer.is_duplicate:
        raise RRQError(
            f"Nothing was enqueued: job {shown} still holds the unique key of "
            f"{render.printable(name)}. Wait for its end, or cancel it."
        )
    if json:
        render.print_json({"id": answer.job_id, "cron_job": name, "queue": queue})
        return
    print(shown)


def _entry(name: str, loaded: LoadedSettings) -> CronEntry:
    """The cron job of this name; raises RRQError if there is none."""
    from rrq.cron import cron_entries

    entries = {entry.name: entry for entry in cron_entries(loaded.settings, loaded.origins)}
    if name not in entries:
        raise no_cron_job(name, entries)
    return entries[name]


def _queue(entry: CronEntry, store: JobStore) -> str:
    return store.keys.bare_queue(entry.job.queue_name or store.settings.default_queue_name)
