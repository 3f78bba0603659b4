"""Every option that help shows is used by a test: one that no test uses may do nothing at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from rrq.cli.app import build
from rrq.cli.reference import walk
from tests.support.documents import CHECKOUT

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Options that no test uses, by command and name, each with the reason."""

DECLARED_ONCE = ("--config", "--redis-dsn", "--json", "--no-truncate")
"""Options of `rrq.cli.options`, which commands share: each must be used with any of them."""


def test_every_option_of_every_command_is_used_by_a_test() -> None:
    unused = {(path, spelt[0]) for path, spelt in options() if not is_used(path, spelt)}

    assert unused == set(EXCEPTIONS)


def test_an_option_counts_only_where_its_command_is_named(tmp_path: Path) -> None:
    module = tmp_path / "test_x.py"
    module.write_text(
        '"""About --other."""\nrun("rrq queue", f"list --max-scan={1}")\nsay("--raw is gone")\n'
    )

    found = words(module)

    assert {"queue", "list", "--max-scan", "--raw"} <= found
    assert "--other" not in found


def options() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The command and the spellings of every option that help shows."""
    root: Any = typer.main.get_command(build(["--help"]))
    commands = dict(walk(root))
    shared = {one.help for one in commands["queue list"].params if one.opts[0] in DECLARED_ONCE}
    for path, command in [("", root), *commands.items()]:
        for one in command.params:
            if one.param_type_name != "option" or one.hidden:
                continue
            is_shared = one.opts[0] in DECLARED_ONCE and one.help in shared
            yield "" if is_shared else path, (*one.opts, *one.secondary_opts)


def is_used(path: str, spelt: tuple[str, ...]) -> bool:
    """Whether a module of tests has the command's words and one of the option's spellings."""
    return any(
        found.issuperset(path.split()) and not found.isdisjoint(spelt) for found in all_words()
    )


def all_words() -> list[frozenset[str]]:
    """The words of each module of tests but this one."""
    if not _kept:
        modules = [*CHECKOUT.glob("tests/**/*.py"), *CHECKOUT.glob("plugins/*/tests/**/*.py")]
        _kept.extend(words(module) for module in modules if module != Path(__file__))
    return _kept


_kept: list[frozenset[str]] = []


def words(module: Path) -> frozenset[str]:
    """The words in the literals of a module, without docstrings; `--option=value` is `--option`."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    explained = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    literals = [
        one.value
        for one in ast.walk(tree)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in explained
    ]
    found = [word.strip("`'\".,;:()[]") for text in literals for word in text.split()]
    return frozenset(word.partition("=")[0] if word.startswith("-") else word for word in found)
