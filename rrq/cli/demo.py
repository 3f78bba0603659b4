"""`rrq demo`: the main job on real input, with nothing to set up."""

from __future__ import annotations

from typing import Annotated

import typer

from rrq.cli import options, render
from rrq.hookspecs import hookimpl


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq demo`."""
    app.command("demo")(demo)


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave Redis running, to look at the jobs.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only this many modules.")
    ] = None,
) -> None:
    """Run a job for each module of the Python standard library on a private Redis.

    Example: rrq demo --keep

    Each job parses one file and counts its lines, functions and classes. Some files there do not
    parse, on purpose, and so end in the dead letter queue.
    """
    import asyncio

    from rrq.demo.report import show
    from rrq.demo.run import run_demo, standard_library
    from rrq.embedded import EmbeddedRedis

    # Without the Python runtime, say so before anything is started.
    options.plugins(None).transport("python")
    folder, files = standard_library()
    files = files[:limit]
    with EmbeddedRedis(tcp=keep) as server:
        render.note(f"{server.version()} at {server.dsn}, {len(files)} modules in {folder}")
        show(asyncio.run(run_demo(server.dsn, folder, files, render.progress)))
        if keep:
            server.keep()
            _tell_how_to_look(server.dsn)
        else:
            render.note("\n`rrq demo --keep` leaves Redis running, to look at the jobs.")


def _tell_how_to_look(dsn: str) -> None:
    render.note("\nRedis goes on. Look further:")
    for command in ("queue list --show-empty", "dlq list", "job show ID"):
        render.note(f"  rrq {command} --redis-dsn {dsn}")
    port = dsn.rpartition(":")[2].partition("/")[0]
    render.note(f"End it: redis-cli -p {port} shutdown nosave, or kill the server's process")
