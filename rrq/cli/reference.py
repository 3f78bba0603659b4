"""The page `docs/reference/cli.md`, written from the commands themselves.

    python -m rrq.cli.reference > docs/reference/cli.md

It shows the commands of RRQ and of the plugins in this checkout, which must all be installed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from rrq.cli.groups import argument_names

CHECKOUT = Path(__file__).parents[2]

VARIABLES = {"--config": "RRQ_CONFIG", "--redis-dsn": "RRQ_REDIS_DSN"}
"""What an option is read from when it is not given."""

COMMON = ("--config", "--redis-dsn", "--json", "--no-truncate")
"""Options that are described once, at the top of the page; a plugin's may mean something else."""

ALIASES = {"check": "health"}
"""Names that help does not show."""

OPENING = Template("""\
# The command line

<!-- Written by `python -m rrq.cli.reference`; change the commands, not this page. -->

`rrq --help` lists the commands, `rrq queue list --help` says the same of one as this page does.
A command that only needs Redis works without a configuration file.

$contents

## What commands have in common

Before the command, as in `rrq --no-plugins queue list`, may stand:

| option | meaning |
| --- | --- |
$leading

After it:

| option | variable | meaning |
| --- | --- | --- |
$options

### What is printed

On a terminal a command prints a table that fits, and a time as `3 m ago · 14:02:11`: how long ago
it was, and the clock of this machine, with the date unless it is today's. What is wider than the
terminal ends in `…`; a table that is too wide puts whole columns beneath each row. An id is never
cut, and `--no-truncate` cuts nothing.

In a pipe a table is a line of names and a line a row, with a tab between two cells. Nothing is
cut, `-` stands for no value, and times are ISO 8601 in UTC. Notes, warnings, errors and progress
go to stderr.

With `--json` the answer is JSON of the shape that is linked below; times are ISO 8601 in UTC.
Fields may be added in later versions, and none of these goes away within one major version.

Control characters in what comes from jobs are escaped everywhere, so that no job can take over a
terminal.

### Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed, or not found; the reason is on stderr |
| 2 | wrong usage, or a wrong configuration |
| 130 | interrupted by Ctrl-C |

### Environment

| variable | meaning |
| --- | --- |
| `RRQ_CONFIG` | the configuration file, if `--config` does not name one |
| `RRQ_REDIS_DSN` | the Redis to use, if `--redis-dsn` does not name one |
| `RRQ_DISABLED_PLUGINS` | plugins that are not loaded, separated by commas |
| `RRQ_TRACE_HOOKS` | with `1`, every call of a plugin's hook is printed to stderr |
| `NO_COLOR` | if not empty, no colours |
| `FORCE_COLOR` | if not empty, colours in messages also when stderr is no terminal |
| `TERM` | with `dumb`, no colours |
| `COLUMNS` | the width of the terminal |

Every scalar key of the configuration has a variable too: see [Configuration](configuration.md).
""")


@dataclass(frozen=True)
class HelpText:
    """A command's docstring in its parts.

    Attributes:
        summary: what it does, one line.
        example: a command line that works; None if there is none.
        more: the other paragraphs.
    """

    summary: str
    example: str | None
    more: tuple[str, ...]

    @classmethod
    def of(cls, command: Any) -> HelpText:
        """The parts of what `--help` shows of a command."""
        paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
        examples = [one for one in paragraphs if one.startswith("Example:")]
        return cls(
            summary=" ".join(paragraphs[0].split()),
            example=examples[0].removeprefix("Example:").strip() if examples else None,
            more=tuple(one for one in paragraphs[1:] if one not in examples),
        )


def page() -> str:
    """The page as it must be.

    Raises:
        RuntimeError: a plugin of this checkout is not installed, or does not work.
    """
    root, plugins = _root(), _plugins()
    names = {path for _, commands in plugins for path in commands}
    own = [(path, command) for path, command in walk(root) if path not in names]
    parts = [
        OPENING.substitute(
            contents=_contents(root),
            leading="\n".join(f"| {_spelt(one)} | {_meaning(one)} |" for one in root.params),
            options="\n".join(_common_rows(own)),
        ),
        *(_section(path, command, 2) for path, command in own),
    ]
    for plugin, commands in plugins:
        parts.append(f"## Commands of plugin {plugin}\n")
        parts += [_section(path, command, 3) for path, command in walk(root) if path in commands]
    return "\n".join(parts)


def walk(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that help shows, with its path as typed after `rrq`; a group is none."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, below in command.commands.items():
        if not below.hidden:
            yield from walk(below, f"{path} {name}".strip())


def schema_name(path: str) -> str:
    """The file in `docs/reference/schemas/cli` that has the shape of a command's JSON."""
    return f"{path.replace(' ', '-')}.json"


def _root() -> Any:
    import typer

    from rrq.cli.app import build

    return typer.main.get_command(build(["--help"]))


def _plugins() -> list[tuple[str, tuple[str, ...]]]:
    """The plugins of this checkout that add commands: `NAME (DISTRIBUTION)` and the paths."""
    from rrq.cli import options

    records = options.plugins(None).records()
    ours = {path.name for path in (CHECKOUT / "plugins").iterdir() if path.is_dir()}
    missing = ours - {record.distribution for record in records}
    missing |= {one.distribution for one in records if one.status != "active"} & ours
    if missing:
        raise RuntimeError(f"not installed, or not working: {', '.join(sorted(missing))}")
    return [
        (record.name, record.commands)
        for record in records
        if record.distribution in ours and record.commands
    ]


def _section(path: str, command: Any, level: int) -> str:
    text = HelpText.of(command)
    alias = f" Its old name is `rrq {ALIASES[path]}`." if path in ALIASES else ""
    lines = [
        f"{'#' * level} rrq {path}",
        "",
        f"{text.summary}{alias}",
        "",
        "```",
        _usage(path, command),
        "```",
    ]
    if text.example:
        lines += ["", "Example:", "", "```sh", text.example, "```"]
    for paragraph in text.more:
        lines += ["", paragraph]
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    if rows := [_row(one) for one in shown if not _is_common(one)]:
        lines += ["", "| argument or option | default | meaning |", "| --- | --- | --- |", *rows]
    if common := [_spelt(one) for one in shown if _is_common(one)]:
        lines += ["", f"And {', '.join(common)}."]
    if any("--json" in one.opts for one in shown):
        lines += ["", f"JSON: [{schema_name(path)}](schemas/cli/{schema_name(path)})"]
    return "\n".join([*lines, ""])


def _usage(path: str, command: Any) -> str:
    return " ".join(["rrq", path, "[OPTIONS]", *argument_names(command)])


def _row(parameter: Any) -> str:
    named = _spelt(parameter)
    if parameter.param_type_name == "argument":
        named = f"`{_metavar(parameter).removeprefix('-- ')}`"
    cells = (named, _default(parameter), _meaning(parameter))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _spelt(parameter: Any) -> str:
    """An option as it is typed."""
    is_flag = getattr(parameter, "is_flag", False)
    value = "" if is_flag else f" {_metavar(parameter)}"
    spelt = ", ".join(f"`{name}`" for name in parameter.opts)
    return f"{spelt[:-1]}{value}`"


def _metavar(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    return "NUMBER" if isinstance(parameter.default, int | float) or _bounds(parameter) else "VALUE"


def _default(parameter: Any) -> str:
    default = parameter.default
    if parameter.required and parameter.param_type_name == "option":
        return "(required)"
    if default is None or isinstance(default, bool) or default in ([], ()):
        return ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _meaning(parameter: Any) -> str:
    # What looks like Markdown, as in *.py, stands for itself.
    meaning = re.sub(r"([*<|])", r"\\\1", parameter.help or "")
    return " ".join(filter(None, [meaning, _bounds(parameter)]))


def _bounds(parameter: Any) -> str:
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if least is not None and most is not None:
        return f"From {least:g} to {most:g}."
    return f"At least {least:g}." if least else ""


def _is_common(parameter: Any) -> bool:
    return bool(set(parameter.opts) & set(COMMON)) and parameter.help in _common_texts()


@cache
def _common_texts() -> frozenset[str]:
    """What the commands of RRQ itself say of these options."""
    own = [command for path, command in walk(_root()) if path.split()[0] == "queue"]
    options = [one for command in own for one in command.params]
    return frozenset(one.help for one in options if set(one.opts) & set(COMMON))


def _common_rows(commands: list[tuple[str, Any]]) -> Iterator[str]:
    """The options that are described once, as the first command that has them does."""
    for name in COMMON:
        option = next(one for _, command in commands for one in command.params if name in one.opts)
        variable = f"`{VARIABLES[name]}`" if name in VARIABLES else ""
        yield f"| {_spelt(option)} | {variable} | {_meaning(option)} |".replace("|  |", "| |")


def _contents(root: Any) -> str:
    links = [f"[{path}](#rrq-{path.replace(' ', '-')})" for path, _ in walk(root)]
    return " · ".join(links)


def main() -> None:
    """Print the page."""
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(page())


if __name__ == "__main__":
    main()
