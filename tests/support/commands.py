"""What tests of commands run and read: `rrq` in this process, and tables as a pipe has them."""

from __future__ import annotations

from collections.abc import Callable

Said = tuple[int, str, str]
"""Exit code, stdout and stderr."""

Rrq = Callable[..., Said]
"""Runs the command `rrq` with these words."""


def rows(table: str) -> list[list[str]]:
    """The cells of a table as a pipe gets it, without the headings."""
    return [line.split("\t") for line in table.splitlines()[1:]]
