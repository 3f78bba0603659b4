"""`rrq worker watch`: a worker for development."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rrq.cli import options, render
from rrq.cli.groups import command_group
from rrq.hookspecs import hookimpl

DEFAULT_PATTERNS = ["*.py", "*.toml"]


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq worker watch`."""
    command_group(app, "worker", "Run jobs.").command("watch")(watch)


def watch(
    queue: options.QueuesOption = None,
    path: Annotated[
        Path, typer.Option("--path", metavar="DIRECTORY", help="Where to look for changes.")
    ] = Path(),
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            "--pattern", help="Which files; may be repeated; else *.py and *.toml.", metavar="GLOB"
        ),
    ] = None,
    ignore_pattern: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore-pattern",
            metavar="GLOB",
            help="Which files or directories not; may be repeated.",
        ),
    ] = None,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
) -> None:
    """Run a worker that starts anew when a file changes, for development.

    Example: rrq worker watch --path src --ignore-pattern 'tests/*'

    Each executor has one process, and every success is logged. What git ignores is not watched.
    Jobs that still run two seconds after a change go back to their queue.
    """
    from rrq.watch.changes import Selection
    from rrq.watch.restarting import run_and_restart

    if not path.is_dir():
        raise typer.BadParameter(f"there is no directory {str(path)!r}.", param_hint="--path")
    root = path.resolve()
    arguments = ["--pool-size", "1", "--log-successes"]
    for option, values in (
        ("--queue", queue or []),
        ("--config", [config] if config is not None else []),
        ("--redis-dsn", [redis_dsn] if redis_dsn is not None else []),
    ):
        arguments += [f"{option}={value}" for value in values]
    selection = Selection(root, pattern or DEFAULT_PATTERNS, ignore_pattern or [])
    run_and_restart(root, selection, arguments, render.note)
