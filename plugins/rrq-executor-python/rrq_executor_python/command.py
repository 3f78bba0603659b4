"""`rrq executor python`: runs `rrq-executor` in the place of the command."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from rrq.cli.groups import command_group


def add_command(app: typer.Typer) -> None:
    """Add the command to the group `executor`."""
    group = command_group(app, "executor", help="Run executors by hand.")
    group.command("python")(run_python)


def run_python(
    settings: Annotated[
        str | None,
        typer.Option(
            help="module.path.object or module.path:object, a PythonExecutorSettings. "
            "Default: RRQ_EXECUTOR_SETTINGS, or what --config names.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help="An rrq.toml for the handlers' settings.", show_default=False),
    ] = None,
    max_in_flight: Annotated[
        int | None,
        typer.Option(min=1, help="Handlers at once. Default: 32.", show_default=False),
    ] = None,
) -> None:
    """Run a Python executor: requests on stdin, outcomes on stdout.

    Example: rrq executor python --settings executor_config.python_executor_settings
    """
    given = {"--settings": settings, "--config": config, "--max-in-flight": max_in_flight}
    options = []
    for name, value in given.items():
        if value is not None:
            options += [name, str(value)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "rrq_executor_python", *options])
