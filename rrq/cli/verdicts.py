"""How `rrq executor check` and `rrq producer check` tell what they found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from rrq.cli import render
from rrq.wording import counted

if TYPE_CHECKING:
    from rrq.conformance.report import Line, Point, Report

CommandArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="-- COMMAND…", help="The program and its arguments.", show_default=False
    ),
]

VerboseOption = Annotated[
    bool, typer.Option("--verbose", help="Show the lines exchanged at every point.")
]

SETTINGS = {"allow_interspersed_args": False}
"""What follows the program's name is the program's."""


def show(report: Report, *, json: bool, verbose: bool) -> None:
    """Print a report.

    Raises:
        typer.Exit: something is wrong.
    """
    if json:
        render.print_json(report.as_json())
    else:
        rows = [(point.name, point.status, point.note) for point in report.points]
        render.table(["point", "status", "note"], rows)
        if lines := list(_lines(report, verbose)):
            print()
            render.table(["point", "from", "line"], lines)
        render.note(
            f"{counted(report.count('holds'), 'holds', 'hold')}, "
            f"{counted(report.count('absent'), 'is', 'are')} absent (optional, or not tried), "
            f"{counted(report.count('wrong'), 'is', 'are')} wrong."
        )
    if not report.is_good:
        raise typer.Exit(1)


def _lines(report: Report, verbose: bool) -> Iterator[tuple[str, str, str]]:
    for point in report.points:
        if verbose or point.status == "wrong":
            yield from ((point.name, line.source, line.text) for line in _last(point, verbose))


def _last(point: Point, verbose: bool) -> list[Line]:
    return list(point.lines if verbose else point.lines[-FEW:])


FEW = 8
"""How many lines of a point that is wrong are shown."""
