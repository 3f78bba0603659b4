"""The plugin `python`: offers the executor type of that name, and `rrq executor python`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    import typer

    from rrq.transport import Transport


@hookimpl
def rrq_transports() -> Mapping[str, type[Transport]]:
    """Offer `type = "python"`."""
    from rrq_executor_python.transport import PythonTransport

    return {"python": PythonTransport}


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq executor python`."""
    from rrq_executor_python.command import add_command

    add_command(app)
