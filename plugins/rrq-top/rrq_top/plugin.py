"""What rrq-top adds to RRQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """No command yet."""
