"""`rrq queue`: what waits, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rrq.cli import options, render
from rrq.cli.groups import command_group
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.store.queues import QueueSize
    from rrq.store.store import JobStore


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq queue`."""
    group = command_group(app, "queue", "Look at queues.")
    group.command("list")(list_queues)


def list_queues(
    show_empty: Annotated[
        bool, typer.Option("--show-empty", help="Queues without a waiting job too.")
    ] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the queues: how many jobs wait, how many of them are due, and since when.

    Example: rrq queue list --show-empty
    """
    from rrq.cli.session import session

    async def ask(store: JobStore) -> tuple[list[str], list[QueueSize]]:
        names = sorted({*await store.queues.names(), *_configured(store)})
        return names, await store.queues.describe(names)

    names, described = session(config, redis_dsn, ask)
    if broken := set(names) - {size.name for size in described}:
        named = ", ".join(map(render.printable, sorted(broken)))
        render.warning(f"No sorted set, and so no queue: {named}")
    sizes = [size for size in described if show_empty or size.waiting]
    render.table(
        ["queue", "waiting", "due", "first due", "last due"],
        [
            (
                size.name,
                size.waiting,
                size.due,
                size.first_due_at if json else render.ago(size.first_due_at),
                size.last_due_at if json else render.ago(size.last_due_at),
            )
            for size in sizes
        ],
        json=json,
        empty="No job waits in any queue.",
    )


def _configured(store: JobStore) -> set[str]:
    """The queues that the configuration names: a plain producer, which writes a hash and a sorted
    set, makes none of its own known."""
    settings = store.settings
    names = [settings.default_queue_name, *settings.executor_routes]
    names += [job.queue_name for job in settings.cron_jobs if job.queue_name]
    return {store.keys.bare_queue(name) for name in names}
