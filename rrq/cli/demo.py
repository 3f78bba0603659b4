"""`rrq demo`: the main job on real input, with nothing to set up."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from rrq.cli import options, render
from rrq.hookspecs import hookimpl
from rrq.wording import counted

if TYPE_CHECKING:
    from rrq.demo.run import DemoRun
    from rrq.embedded import EmbeddedRedis


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
        render.note(
            f"{server.version()} at {server.dsn}, {counted(len(files), 'module')} in {folder}"
        )
        done = asyncio.run(run_demo(server.dsn, folder, files, server.directory, render.progress))
        show(done)
        if keep:
            server.keep()
            _tell_how_to_look(server, done)
        else:
            render.note("\n`rrq demo --keep` leaves Redis running, to look at the jobs.")


def _tell_how_to_look(server: EmbeddedRedis, done: DemoRun) -> None:
    """Commands that work as they stand."""
    # A failure is more to look at than a success.
    job = max(done.jobs, key=lambda job: job.current_retries)
    render.note("\nRedis goes on. Look further:")
    for command in ("queue list --show-empty", "dlq list", f"job show {job.id}"):
        render.note(f"  rrq {command} --redis-dsn {server.dsn}")
    render.note("End it:")
    render.note(f"  kill {server.pid} && rm -r {shlex.quote(str(server.directory))}")
