"""The plugin `drained`: a command that waits until queues are empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

import rrq
from rrq.cli import options, render

if TYPE_CHECKING:
    from rrq.store.store import JobStore

_PAUSE_SECONDS = 0.2


@rrq.hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq drained`."""
    app.command("drained")(drained)


def drained(
    queues: Annotated[list[str], typer.Argument(help="Queues, by bare or full name.")],
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0, help="Wait no longer.")
    ] = 60.0,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Wait until no job waits in these queues.

    Example: rrq drained mail default --timeout 30
    """
    from rrq.cli.session import session

    async def wait(store: JobStore) -> dict[str, int]:
        import asyncio

        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while True:
            sizes = await store.batch_get_queue_sizes(queues)
            if not any(sizes.values()) or loop.time() >= end:
                return sizes
            await asyncio.sleep(min(_PAUSE_SECONDS, max(0.0, end - loop.time())))

    sizes = session(config, redis_dsn, wait)
    render.table(["queue", "waiting"], sizes.items(), json=json)
    if any(sizes.values()):
        raise typer.Exit(1)
