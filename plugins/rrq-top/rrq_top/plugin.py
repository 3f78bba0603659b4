"""What rrq-top adds to RRQ: the command `rrq top`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq top`."""
    from rrq_top.command import add_command

    add_command(app)
