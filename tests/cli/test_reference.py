"""The page of the command line, and the help that it is written from."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from rrq.cli import reference
from rrq.cli.reference import COMMON, VARIABLES, HelpText, walk
from tests.support.documents import CHECKOUT

PAGE = CHECKOUT / "docs" / "reference" / "cli.md"


@cache
def root() -> Any:
    """The command `rrq` with everything below it."""
    import typer

    from rrq.cli.app import build

    return typer.main.get_command(build(["--help"]))


page = cache(reference.page)


COMMANDS = [pytest.param(path, command, id=path) for path, command in walk(root())]
each_command = pytest.mark.parametrize(("path", "command"), COMMANDS)


def options_of(command: Any) -> set[str]:
    return {
        "--help",
        *(name for one in command.params for name in (*one.opts, *one.secondary_opts)),
    }


def test_the_page_is_what_the_commands_say() -> None:
    is_current = PAGE.read_text() == page()

    assert is_current, (
        "docs/reference/cli.md is not what the commands say. Renew it: "
        "python -m rrq.cli.reference > docs/reference/cli.md"
    )


def test_the_page_can_be_printed() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "rrq.cli.reference"],
        capture_output=True,
        check=True,
        cwd=CHECKOUT,
    )

    assert printed.stdout.decode() == page()


def test_the_page_has_every_command_every_option_and_every_shape() -> None:
    sections = dict(re.findall(r"^##+ rrq (.+?)\n(.*?)(?=^## |^### rrq |\Z)", page(), re.M | re.S))

    assert sections.keys() == {path for path, _ in walk(root())}
    for path, command in walk(root()):
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert all(name in sections[path] for name in parameter.opts), (path, parameter)
        assert ("schemas/cli/" in sections[path]) == ("--json" in options_of(command))


def test_the_commands_of_each_plugin_have_a_heading_of_their_own() -> None:
    _, *parts = re.split(r"^## Commands of plugin (\w+)$", page(), flags=re.M)
    by_plugin = dict(zip(parts[::2], parts[1::2], strict=True))

    assert "### rrq executor python\n" in by_plugin["python"]
    assert "rrq queue" not in "".join(by_plugin.values())


def test_what_is_read_from_a_variable_says_so() -> None:
    rows = re.findall(r"^\| `(--[a-z-]+).*?` \| `(RRQ_[A-Z_]+)` \|", page(), re.M)

    assert dict(rows) == VARIABLES


@each_command
def test_a_commands_help_begins_with_one_line_that_says_what_it_does(
    path: str, command: Any
) -> None:
    first, *rest = command.help.strip().split("\n")

    assert len(first) <= 80, first
    assert first.endswith(".")
    assert rest[:1] in ([], [""]), "the first paragraph is one line"


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("job show", " ID"),
        ("init", " [DIRECTORY]"),
        ("executor check", " -- COMMAND…"),
        ("plugins show", " NAME"),
        ("queue list", ""),
    ],
)
def test_the_usage_names_arguments_as_the_page_does(path: str, arguments: str) -> None:
    command = root()
    for word in path.split():
        command = command.commands[word]
    usage = command.get_usage(command.make_context(path, [], resilient_parsing=True))

    assert usage == f"Usage: {path} [OPTIONS]{arguments}"
    assert f"\nrrq {path} [OPTIONS]{arguments}\n" in page()


@pytest.mark.parametrize("name", ["queue", "job", "dlq", "debug"])
def test_the_list_of_commands_has_the_whole_first_sentence_of_each(name: str) -> None:
    group = root().commands[name]

    shown = " ".join(group.get_help(group.make_context(name, [], resilient_parsing=True)).split())

    for command in group.commands.values():
        assert HelpText.of(command).summary in shown


@each_command
def test_a_commands_help_has_an_example_of_options_that_exist(path: str, command: Any) -> None:
    example = HelpText.of(command).example
    assert example is not None

    words = shlex.split(example.replace("\\\n", " "))

    assert words[: len(path.split()) + 1] == ["rrq", *path.split()]
    named = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert named <= options_of(command)


@each_command
def test_an_example_is_a_command_line_that_is_understood(path: str, command: Any) -> None:
    example = HelpText.of(command).example or ""
    words = shlex.split(example)[1 + len(path.split()) :]

    # Raises an error in what was typed; runs nothing.
    context = command.make_context(path, words, resilient_parsing=False)

    assert context.command is command


@each_command
def test_every_argument_and_option_says_what_it_is(path: str, command: Any) -> None:
    for parameter in command.params:
        assert parameter.help, parameter.opts
        assert parameter.help.endswith("."), parameter.opts


def test_options_that_commands_share_read_alike_everywhere() -> None:
    told: dict[str, set[str]] = {}
    for path, command in walk(root()):
        # An executor's configuration is found in a way of its own.
        for parameter in command.params if path != "executor python" else ():
            for name in set(parameter.opts) & {*COMMON}:
                told.setdefault(name, set()).add(parameter.help)

    assert {name: len(texts) for name, texts in told.items()} == dict.fromkeys(COMMON, 1)


def test_whatever_can_print_json_can_be_told_to_cut_nothing() -> None:
    for path, command in walk(root()):
        assert ("--no-truncate" in options_of(command)) == ("--json" in options_of(command)), path
