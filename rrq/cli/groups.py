"""Command groups that several plugins can share, and their help without a slow start.

`command_group` makes or finds a group. `Addition` tells what one plugin added to the command
line, so that it can be labelled, or taken out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from rrq.cli import numbers, options
from rrq.suggestion import did_you_mean

if TYPE_CHECKING:
    from typer.models import CommandInfo, TyperInfo

    Info = CommandInfo | TyperInfo


WHOLE = 1000
"""As many characters of a command's first sentence are in the list: all, folded."""


def command_group(
    app: typer.Typer, name: str, help: str, cls: type[Group] | None = None
) -> typer.Typer:
    """The group `rrq NAME`: the one that is there, or a new one with this help and class."""
    for path, info in _walk(app):
        if path == name and (group := getattr(info, "typer_instance", None)):
            return group  # type: ignore[no-any-return]
    group = new_app(**({"cls": cls} if cls else {}))
    app.add_typer(group, name=name, help=help)
    return group


def new_app(**settings: Any) -> typer.Typer:
    """An empty Typer app that speaks as all of RRQ's groups do."""
    # Typer's own help imports rich's Markdown and highlighter: 0.2 s before the first line.
    settings = {"cls": Group, "no_args_is_help": True, "rich_markup_mode": None, **settings}
    return _App(**settings)


class _App(typer.Typer):
    """Makes each command a `Command`."""

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **settings: Any
    ) -> Any:
        return super().command(name, cls=cls or Command, **settings)


class Command(TyperCommand):
    """A command whose usage names its arguments as everybody does, `ID` and not `{ID}`, and that
    says which numbers it takes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Understand what was typed; an error names the option as it was typed."""
        try:
            rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            parameter = getattr(error, "param", None)
            if parameter is not None and not error.param_hint:
                error.param_hint = numbers.name_of(parameter)
                if _is_about_a_number(error.message):
                    is_whole = "integer" in error.message or isinstance(parameter.default, int)
                    raise numbers.wrong_number(parameter, ctx, is_whole=is_whole) from None
            raise
        if not ctx.resilient_parsing:
            numbers.refuse_enormous(ctx, self.params)
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What follows the command's name."""
        return ["[OPTIONS]", *argument_names(self)]


def argument_names(command: Any) -> list[str]:
    """The arguments of a command, as its usage names them."""
    return [numbers.name_of(one) for one in command.params if one.param_type_name == "argument"]


def _is_about_a_number(message: str) -> bool:
    """Whether this is pydantic's word, in which Typer tells of numbers."""
    return bool(re.match(r"Input should be (greater|less|a valid (integer|number))", message))


def keep_only(app: typer.Typer, name: str) -> bool:
    """Leave the app the one command or group of that name, if it has it: Typer builds whatever
    it is given, with every parameter, which takes longer than most commands run."""
    mine = [id(info) for path, info in _walk(app) if path == name]
    if not mine:
        return False
    app.registered_commands[:] = [one for one in app.registered_commands if id(one) in mine]
    app.registered_groups[:] = [one for one in app.registered_groups if id(one) in mine]
    return True


class Group(TyperGroup):
    """A group whose help has a heading for each plugin, and that knows what you meant."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        """As Typer makes it; with what its commands have in common."""
        super().__init__(*args, **settings)
        options.offer_no_truncate(self.commands.values())

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the help if nothing was asked for; a usage error all the same."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command asked for; if there is none, an error with the nearest name."""
        name = args[0]
        unknown = self.get_command(ctx, name) is None and not name.startswith("-")
        if unknown and not ctx.resilient_parsing:
            visible = [one for one, command in self.commands.items() if not command.hidden]
            message = f'No such command "{name}".{did_you_mean(name, visible)}'
            ctx.fail("\n".join(filter(None, [message, self.advice(name)])))
        return super().resolve_command(ctx, args)

    def advice(self, name: str) -> str | None:
        """What to do about a command that is not there."""
        return None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands, those of each plugin under a heading of their own."""
        panels: dict[str, list[tuple[str, Any]]] = {"Commands": []}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                heading = getattr(command, "rich_help_panel", None) or "Commands"
                panels.setdefault(str(heading), []).append((name, command))
        for heading, commands in panels.items():
            if commands:
                with formatter.section(heading):
                    formatter.write_dl(
                        [(name, one.get_short_help_str(WHOLE)) for name, one in commands]
                    )


class Addition:
    """What was added to a command line since this object was made."""

    def __init__(self, app: typer.Typer) -> None:
        self._app = app
        self._paths = [path for path, _ in _walk(app)]
        self._apps = [app, *(_app_of(info) for _, info in _walk(app) if _app_of(info))]
        self._known = {id(info) for _, info in _walk(app)}
        self._before = [
            (one, list(one.registered_commands), list(one.registered_groups)) for one in self._apps
        ]
        self._callbacks = [(one, one.registered_callback) for one in self._apps]

    def paths(self) -> list[str]:
        """What was added, groups too, as typed after `rrq`."""
        return [path for path, info in _walk(self._app) if id(info) not in self._known]

    def commands(self) -> list[str]:
        """The commands that were added, as typed after `rrq`."""
        return [
            path
            for path, info in _walk(self._app)
            if id(info) not in self._known and _app_of(info) is None
        ]

    def taken(self) -> str | None:
        """The first command that was added under a name which another has."""
        seen = set(self._paths)
        for path in self.paths():
            if path in seen:
                return path
            seen.add(path)
        return None

    def replaces_callback(self) -> bool:
        """Whether the options of `rrq` or of a group that was there were replaced."""
        return any(app.registered_callback is not callback for app, callback in self._callbacks)

    def try_to_build(self) -> None:
        """Build what was added, as Typer will, so that a wrong signature shows now.

        Raises:
            Exception: whatever Typer raises.
        """
        trial = typer.Typer()
        trial.callback()(lambda: None)
        for app, _, _ in self._before:
            for mine, added in (
                (trial.registered_commands, app.registered_commands),
                (trial.registered_groups, app.registered_groups),
            ):
                mine += [info for info in added if id(info) not in self._known]
        typer.main.get_command(trial)

    def put_under(self, heading: str) -> None:
        """Show what was added under this heading, unless it brought one of its own."""
        for app, _, _ in self._before:
            for info in (*app.registered_commands, *app.registered_groups):
                if id(info) not in self._known and not info.rich_help_panel:
                    info.rich_help_panel = heading

    def undo(self) -> None:
        """Take out again what was added."""
        for app, commands, groups in self._before:
            app.registered_commands[:] = commands
            app.registered_groups[:] = groups
        for app, callback in self._callbacks:
            app.registered_callback = callback


def _walk(app: typer.Typer, prefix: str = "") -> Iterator[tuple[str, Info]]:
    """Every command and group, with its path as typed after `rrq`."""
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").lower().replace("_", "-")
        yield f"{prefix}{name}", command
    for group in app.registered_groups:
        inner = group.typer_instance
        own_name = inner.info.name if inner is not None else None
        # A group without a name has its commands in the group that it was added to.
        if name := group.name or own_name:
            yield f"{prefix}{name}", group
        if inner is not None:
            yield from _walk(inner, f"{prefix}{name} " if name else prefix)


def _app_of(info: Info) -> Any:
    return getattr(info, "typer_instance", None)
