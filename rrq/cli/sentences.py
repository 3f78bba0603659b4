"""`sentences`: rows that end in a sentence, which nobody must have to guess the end of."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from rrq.cli import render


def sentences(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, on_terminal: Sequence[tuple[str, str]]
) -> None:
    """Print rows as a table in a pipe, and on a terminal as names with folded texts.

    Args:
        columns: the headings of the table.
        rows: its values.
        on_terminal: the same as a name and a text for each row.
    """
    if not sys.stdout.isatty():
        render.table(columns, rows)
        return
    names = [render.printable(name) for name, _ in on_terminal]
    width = shutil.get_terminal_size().columns - max(map(len, names), default=0) - 2
    render.details(
        [
            (name, textwrap.fill(render.printable(text), max(20, width)))
            for name, (_, text) in zip(names, on_terminal, strict=True)
        ]
    )
