"""`rrq plugins`: which plugins are installed, what they add, and how they are configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rrq.cli import candidates, options, render
from rrq.cli.groups import command_group
from rrq.exc import ConfigError
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.plugins.description import ConfigurationKey
    from rrq.plugins.records import PluginRecord
    from rrq.settings import RRQSettings


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq plugins`."""
    group = command_group(app, "plugins", "Show the installed plugins.")
    group.command("list")(list_plugins)
    group.command("show")(show_plugin)


def list_plugins(
    everything: Annotated[bool, typer.Option("--all", help="RRQ's own plugins too.")] = False,
    config: options.ConfigOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the plugins: where they come from, what they add, whether they work.

    Example: rrq plugins list --all
    """
    _warn_of_the_file(config)
    records = options.plugins(config).records(builtin=everything)
    if json:
        render.print_json([asdict(record) for record in records])
        return
    rows = [
        (one.name, one.version, one.distribution, ", ".join(one.adds), _status(one))
        for one in records
    ]
    render.table(
        ["name", "version", "distribution", "adds", "status"],
        rows,
        empty="No plugin is installed. To run jobs in Python: pip install rrq-executor-python",
    )


def show_plugin(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The plugin's name, as in `rrq plugins list`.",
            autocompletion=candidates.plugin_names,
        ),
    ],
    config: options.ConfigOption = None,
    json: options.JsonOption = False,
) -> None:
    """Show one plugin in full, with its configuration keys and their values.

    Example: rrq plugins show stdio
    """
    from rrq.plugins.description import describe

    plugins = options.plugins(config)
    plugins.record(name)
    settings, problem = _settings(config)
    found = describe(plugins, name, settings)
    problem = problem or found.problem
    if json:
        shown = asdict(found)
        render.print_json({**shown.pop("record"), **shown, "problem": problem})
        return
    record = found.record
    render.details(
        [
            ("name", record.name),
            ("version", record.version),
            ("distribution", record.distribution),
            ("description", record.description),
            ("module", record.module),
            ("adds", ", ".join(record.adds)),
            ("status", _status(record)),
        ]
    )
    if found.keys is not None:
        _show_keys(f"[rrq.plugins.{name}]", found.keys, with_values=problem is None)
    for kind, keys in found.executor_keys.items():
        _show_keys(f'[rrq.executors.NAME] with type = "{kind}"', keys, with_values=False)
    if problem:
        render.warning(f"Without current values: {problem}")


def _warn_of_the_file(config: str | None) -> None:
    """Say so if the file that may switch plugins off cannot be read."""
    from rrq.config.environment import read_environment
    from rrq.config.file import choose_config_file, read_config_file

    try:
        read_config_file(*choose_config_file(config, read_environment().values.get("RRQ_CONFIG")))
    except ConfigError as error:
        render.warning(str(error))


def _settings(config: str | None) -> tuple[RRQSettings | None, str | None]:
    """The settings, or why there are none: a plugin is shown all the same."""
    try:
        return options.load(config).settings, None
    except ConfigError as error:
        return None, str(error)


def _show_keys(heading: str, keys: Sequence[ConfigurationKey], with_values: bool) -> None:
    print(f"\n{heading}")
    columns = ["key", "type", "default", *(["value"] if with_values else []), "meaning"]
    rows = [
        (
            key.name,
            key.type,
            "(required)" if key.required else key.default,
            *([key.value] if with_values else []),
            key.description,
        )
        for key in keys
    ]
    render.table(columns, rows, empty="It has no keys.")


def _status(record: PluginRecord) -> str:
    return f"{record.status}: {record.reason}" if record.reason else record.status
