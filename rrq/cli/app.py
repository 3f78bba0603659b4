"""`build`: the Typer app for one command line, with no more plugins than that line needs.

No bad installation may stand between an operator and the queue: a command of RRQ's own is built
without any installed plugin.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Any

import typer

from rrq.cli import options
from rrq.cli.groups import Group, keep_only, new_app
from rrq.plugins import Plugins, load_plugins

OPEN_GROUPS = {"executor"}
"""Groups that plugins add commands to: these need the plugins although RRQ knows the name."""

STARTERS = {"worker", "demo", "producer", "executor"}
"""Commands that start programs of the user, which inherit the environment."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What must be known of a command line before there is a parser for it.

    Attributes:
        command: the first word that is not an option.
        leading: the options before it.
        config: what `--config` says, wherever it stands.
    """

    command: str | None
    leading: frozenset[str]
    config: str | None

    @classmethod
    def read(cls, arguments: Sequence[str]) -> CommandLine:
        """The command line as far as it can be understood without the commands."""
        words = list(arguments)
        position = next((i for i, word in enumerate(words) if not word.startswith("-")), len(words))
        config = None
        for word, following in zip_longest(words, words[1:]):
            if word == "--":
                break
            if word == "--config":
                config = following
            elif word.startswith("--config="):
                config = word.partition("=")[2]
        command = words[position] if position < len(words) else None
        return cls(command, frozenset(words[:position]), config)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The app with the commands that this command line may mean."""
    line = CommandLine.read(arguments)
    if "--no-plugins" in line.leading:
        options.use_only_builtin_plugins()
    app = _app_with(load_plugins(only_builtin=True))
    if "--version" in line.leading or options.uses_only_builtin_plugins():
        _keep_pydantic_alone(line.command)
        return app
    if line.command and line.command not in OPEN_GROUPS and keep_only(app, line.command):
        _keep_pydantic_alone(line.command)
        return app
    return _app_with(options.plugins(line.config))


class Root(Group):
    """The command `rrq` itself."""

    plugins: Plugins

    def invoke(self, ctx: Any) -> None:
        """Run the command; what it returns is no exit code, though Typer would take it for one."""
        super().invoke(ctx)

    def advice(self, name: str) -> str:
        """Where a command that is not there may be found."""
        if options.uses_only_builtin_plugins():
            return "Plugins are switched off by --no-plugins."
        return "If a plugin should have it: `rrq plugins list` shows how each one is."


def _keep_pydantic_alone(command: str | None) -> None:
    """Have pydantic import nothing that is installed for it: with logfire that is half a second,
    and it may be broken."""
    if command not in STARTERS:
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _app_with(plugins: Plugins) -> typer.Typer:
    class RootOfThese(Root):
        """Knows the plugins, to say more of a command that is not there."""

    RootOfThese.plugins = plugins
    app = new_app(cls=RootOfThese)
    app.callback()(_root)
    plugins.add_commands(app)
    return app


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda wanted: _show_version() if wanted else None,
            help="Show the version of RRQ and of each plugin.",
        ),
    ] = False,
    no_plugins: Annotated[
        bool, typer.Option("--no-plugins", help="Import no installed plugin.")
    ] = False,
) -> None:
    """RRQ, the Reliable Redis Queue."""


def _show_version() -> None:
    from rrq import __version__
    from rrq.plugins.discovery import find_plugins

    typer.echo(f"rrq {__version__}")
    for found in [] if options.uses_only_builtin_plugins() else find_plugins():
        typer.echo(f"{found.name} {found.version} ({found.distribution})")
    raise typer.Exit()
