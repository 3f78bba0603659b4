"""What commands have in common: their options, the settings, and the plugins to work with."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import candidates, render

if TYPE_CHECKING:
    from rrq.config import LoadedSettings
    from rrq.plugins import Plugins
    from rrq.store.keys import Keys

ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration file; else RRQ_CONFIG, else ./rrq.toml.",
    ),
]

RedisDsnOption = Annotated[
    str | None,
    typer.Option("--redis-dsn", metavar="DSN", help="The Redis to use, whatever else says."),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _named(value: str | list[str] | None) -> str | list[str] | None:
    """The names; none of them may be empty."""
    if value is not None and not all([value] if isinstance(value, str) else value):
        raise typer.BadParameter(NAMELESS)
    return value


NAMELESS = "a queue needs a name."

QueueOption = Annotated[
    str | None,
    typer.Option(
        "--queue",
        metavar="QUEUE",
        help="Only this queue; bare or full name.",
        callback=_named,
        autocompletion=candidates.queue_names,
    ),
]

QueuesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--queue",
        metavar="QUEUE",
        help="A queue, bare or full name; may be repeated.",
        callback=_named,
        autocompletion=candidates.queue_names,
    ),
]

FunctionOption = Annotated[
    str | None,
    typer.Option(
        "--function",
        metavar="NAME",
        help="Only this function; with or without executor#.",
        autocompletion=candidates.function_names,
    ),
]
ErrorOption = Annotated[
    str | None, typer.Option("--error", metavar="TEXT", help="Only errors with this text or type.")
]

LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Show at most this many.")]

OffsetOption = Annotated[int, typer.Option("--offset", min=0, help="Pass over this many first.")]

MaxScanOption = Annotated[
    int,
    typer.Option(
        "--max-scan", min=0, help="Look at no more than so many jobs one by one; 0 for all."
    ),
]

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def load(
    config: str | None, redis_dsn: str | None = None, require_file: bool = False
) -> LoadedSettings:
    """The settings for a command; their warnings go to stderr.

    Raises:
        ConfigError: as `rrq.config.load_settings`.
    """
    from rrq.config import load_settings

    loaded = load_settings(config, redis_dsn=redis_dsn, require_file=require_file)
    for warning in loaded.warnings:
        render.warning(warning)
    return loaded


_only_builtin = False
_loaded: dict[str | None, Plugins] = {}


def use_only_builtin_plugins() -> None:
    """What `rrq --no-plugins` means for the rest of this process."""
    from rrq.telemetry import disable

    global _only_builtin
    _only_builtin = True
    disable()


def uses_only_builtin_plugins() -> bool:
    """Whether this is `rrq --no-plugins`."""
    return _only_builtin


def plugins(config: str | None) -> Plugins:
    """The plugins for a command: without those that are disabled, loaded once a process."""
    if config not in _loaded:
        from rrq.plugins import load_plugins
        from rrq.plugins.disabled import disabled_plugin_names

        _loaded[config] = load_plugins(
            disabled=disabled_plugin_names(config), only_builtin=_only_builtin
        )
    return _loaded[config]


def check_configuration(loaded: LoadedSettings, plugins: Plugins) -> None:
    """Check cron jobs, and what only plugins can tell: their tables, and those of executors.
    Warnings go to stderr.

    Raises:
        ConfigError: a table does not fit, or an executor that is named is not configured.
        PluginError: no plugin offers an executor's type.
    """
    from rrq.config import check_references
    from rrq.config.executors import executor_options, place
    from rrq.exc import ConfigError, PluginError

    errors, warnings = plugins.check_configuration(loaded.settings)
    for warning in warnings:
        render.warning(warning)
    # Without a file this is no worker's configuration, and names no executor on purpose.
    errors = [*(check_references(loaded.settings) if loaded.path else []), *errors]
    problems = [f"{loaded.path}: {error}" if loaded.path else error for error in errors]
    if loaded.settings.cron_jobs:
        from rrq.cron import cron_entries

        try:
            cron_entries(loaded.settings, loaded.origins)
        except ConfigError as error:
            problems.append(str(error))
    executors = {} if plugins.only_builtin else loaded.settings.executors
    refusal: PluginError | None = None
    for name, executor in executors.items():
        try:
            transport = plugins.transport(executor.type)
            executor_options(name, executor, transport.config_model, loaded)
        except PluginError as error:
            where = place(("executors", name, "type"), loaded)
            refusal = refusal or PluginError(f"{where}{error}")
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError.of([*problems, *([str(refusal)] if refusal else [])])
    if refusal is not None:
        raise refusal


def check_queue_names(keys: Keys, names: Iterable[str], hint: str) -> None:
    """Let no name pass of which nothing is left when it is bare.

    Args:
        hint: the option or the argument that they came from.

    Raises:
        typer.BadParameter: one is such.
    """
    if not all(map(keys.bare_queue, names)):
        raise typer.BadParameter(NAMELESS, param_hint=hint)


def confirm(question: str) -> None:
    """Ask on stderr before something that cannot be taken back; for commands with `--yes`.

    Raises:
        typer.Abort: the answer is no, or there is none.
    """
    try:
        agrees = typer.confirm(question, err=True)
    except typer.Abort:
        # Nobody ended the line of the question.
        render.note("")
        if not sys.stdin.isatty():
            render.note("There is nobody to ask here: --yes goes ahead.")
        raise
    if not agrees:
        raise typer.Abort


def offer_no_truncate(commands: Iterable[Any]) -> None:
    """Add `--no-truncate` to each command that can print JSON: such a command shows something,
    and on a terminal that is cut to the width. Nothing has to be passed on to `render`."""
    for command in commands:
        names = {name for parameter in command.params for name in parameter.opts}
        if "--json" in names and "--no-truncate" not in names:
            command.params.append(_no_truncate())


def _no_truncate() -> Any:
    """The option, as Typer builds it."""

    def holder(
        wanted: Annotated[
            bool,
            typer.Option(
                "--no-truncate",
                expose_value=False,
                callback=lambda wanted: render.truncate_nothing() if wanted else None,
                help="Cut nothing to the terminal's width.",
            ),
        ] = False,
    ) -> None: ...

    app = typer.Typer(add_completion=False)
    app.command()(holder)
    return typer.main.get_command(app).params[0]
