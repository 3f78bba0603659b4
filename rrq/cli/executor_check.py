"""`rrq executor check`: does an executor keep to the protocol? The group is open to plugins."""

from __future__ import annotations

from typing import Annotated

import typer

from rrq.cli import options, render, verdicts
from rrq.cli.groups import Group, command_group
from rrq.hookspecs import hookimpl


class ExecutorGroup(Group):
    """The group `rrq executor`, whose other commands come from plugins."""

    def advice(self, name: str) -> str | None:
        """Where a command that is not there may be found."""
        from rrq.plugins import PACKAGES

        if options.uses_only_builtin_plugins():
            return "Plugins are switched off by --no-plugins."
        python = options.plugins(None).registry.record("python")
        if name == "python" and python is None:
            return f"To have `rrq executor python`: pip install {PACKAGES['python']}"
        if name == "python" and python and python.reason:
            return f"Plugin {python.origin} is {python.status}: {python.reason}"
        return None


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq executor check`."""
    help = "Check executors, and run them by hand."
    group = command_group(app, "executor", help=help, cls=ExecutorGroup)
    group.command("check", context_settings=verdicts.SETTINGS)(check)


def check(
    command: verdicts.CommandArgument,
    echo: Annotated[
        str, typer.Option(metavar="NAME", help="The handler that gives back its arguments.")
    ] = "echo",
    sleep: Annotated[
        str, typer.Option(metavar="NAME", help="The handler that takes seconds, and so long.")
    ] = "sleep",
    fail: Annotated[
        str, typer.Option(metavar="NAME", help="The handler that fails with its argument.")
    ] = "fail",
    retry: Annotated[
        str, typer.Option(metavar="NAME", help="The handler that asks for a retry after seconds.")
    ] = "retry",
    report: Annotated[
        str, typer.Option(metavar="NAME", help="The handler that reports progress.")
    ] = "report",
    print: Annotated[
        str, typer.Option(metavar="NAME", help="The handler that prints its argument.")
    ] = "print",
    function: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Any handler that succeeds, if there is no echo.",
            show_default=False,
        ),
    ] = None,
    args: Annotated[str, typer.Option(metavar="JSON", help="The arguments of --function.")] = "[]",
    kwargs: Annotated[
        str, typer.Option(metavar="JSON", help="The keyword arguments of --function.")
    ] = "{}",
    time_limit: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long any answer may take.")
    ] = 10.0,
    start_limit: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long the first may take.")
    ] = 30.0,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Only points whose name has this in it; may be repeated."
        ),
    ] = None,
    verbose: verdicts.VerboseOption = False,
    json: options.JsonOption = False,
) -> None:
    """Drive an executor through the protocol, without Redis, and tell what holds.

    Example: rrq executor check -- node my_executor.js

    The executor has a handler `echo`, which succeeds with {"args": [...], "kwargs": {...}}, or
    with the arguments alone. What takes another handler is tried if there is one: `sleep`,
    `fail`, `retry`, `report`, `print`. Exits with 1 if something is wrong.
    """
    import asyncio

    from rrq.conformance.executor import check_executor, names
    from rrq.conformance.executor_bench import Handlers, Subject

    for text in only or ():
        if not any(text in name for name in names()):
            raise typer.BadParameter(
                f"no point has {text!r} in its name; without it all are named.",
                param_hint="--only",
            )
    subject = Subject(
        command=command,
        handlers=Handlers(
            echo=echo, sleep=sleep, fail=fail, retry=retry, report=report, print=print
        ),
        function=function,
        args=_json("--args", args, list),
        kwargs=_json("--kwargs", kwargs, dict),
        limit_seconds=time_limit,
        start_limit_seconds=start_limit,
    )
    with render.progress(len(names(only)), "Checking") as advance:
        found = asyncio.run(check_executor(subject, lambda point: advance(1), only=only))
    verdicts.show(found, json=json, verbose=verbose)


def _json(option: str, text: str, kind: type) -> str:
    from rrq.conformance.sameness import parse

    try:
        value = parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"it is no JSON: {error}", param_hint=option) from None
    if not isinstance(value, kind):
        called = "array" if kind is list else "object"
        raise typer.BadParameter(f"it must be a JSON {called}.", param_hint=option)
    return text
