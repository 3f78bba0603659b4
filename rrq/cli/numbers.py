"""Numbers among the options: which ones make sense, and how a wrong one is told.

What is enormous is refused here for all commands: clocks and Redis have their own limits, and say
so in their own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

MOST = 1_000_000_000
"""Of whatever there is: seconds that are thirty years, or jobs."""


def name_of(parameter: Any) -> str:
    """An option as it is typed, or an argument as the usage names it."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or str(parameter.name).upper())
    return str(parameter.opts[0])


def refuse_enormous(ctx: Any, parameters: Sequence[Any]) -> None:
    """Let no number pass that is beyond everything.

    Raises:
        typer.BadParameter: one is.
    """
    for parameter in parameters:
        value = ctx.params.get(parameter.name)
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, int | float) and not abs(one) <= MOST:
                raise wrong_number(parameter, ctx, is_whole=isinstance(one, int))


def wrong_number(parameter: Any, ctx: Any, *, is_whole: bool) -> typer.BadParameter:
    """The error that says which numbers an option takes."""
    kind = "a whole number" if is_whole else "a number"
    least, most = parameter.min, MOST if parameter.max is None else parameter.max
    span = f"up to {most:,}" if least is None else f"from {least:,} to {most:,}"
    return typer.BadParameter(f"expected {kind} {span}.", ctx=ctx, param_hint=name_of(parameter))
