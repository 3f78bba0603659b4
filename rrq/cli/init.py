"""`rrq init`: a small working project, or what one lacks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rrq.cli import options, render
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.starter import Starter


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq init`."""
    app.command("init")(init)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIRECTORY]", help="Where; made if it is not there.")
    ] = Path(),
) -> None:
    """Write the files of a small working project, without touching any that is there.

    Example: rrq init shop
    """
    from rrq.starter import add_starter

    starter = add_starter(directory)
    for name in starter.written:
        render.note(f"Written: {directory / name}")
    for name in starter.kept:
        render.note(f"Left alone: {directory / name}")
    _tell_next_steps(starter)


def _tell_next_steps(starter: Starter) -> None:
    """Commands that work as they stand."""
    from rrq.starter import CONFIGURATION_TEXT

    if starter.lacks_executor:
        _, table = CONFIGURATION_TEXT.split("\n\n")
        render.note(f"\nYour rrq.toml has no executor yet. Add:\n\n{table.rstrip()}")
    elif not starter.written:
        render.note("\nNothing is missing here.")
    render.note("\nNext:")
    if "python" not in options.plugins(None).transports():
        render.note("  pip install rrq-executor-python")
    if starter.directory.resolve() != Path.cwd():
        render.note(f"  cd {shlex.quote(str(starter.directory))}")
    render.note(f"  rrq worker run{_embedded_option(starter.directory)}")
    if "greet" in starter.functions:
        render.note("and in another terminal there:")
        render.note("  rrq debug submit greet --args '[\"world\"]'")


def _embedded_option(directory: Path) -> str:
    """What lets the worker run here: a Redis of its own, unless something listens there."""
    from rrq.config import load_settings
    from rrq.embedded import EmbeddedRedis
    from rrq.exc import ConfigError, EmbeddedRedisError

    path = directory / "rrq.toml"
    try:
        EmbeddedRedis.at(load_settings(path).settings.redis_dsn)
    except (ConfigError, EmbeddedRedisError):
        return ""
    return " --embedded-redis"
