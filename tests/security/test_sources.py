"""RRQ has no code that would run, import or unpack what it reads."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SOURCES = sorted([*CHECKOUT.glob("rrq/**/*.py"), *CHECKOUT.glob("plugins/*/rrq_*/**/*.py")])

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "jsonpickle"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}

READERS = ("rrq/store/", "rrq/orchestrator/", "rrq/cli/", "rrq/client.py", "rrq/protocol.py")
"""Where data of Redis and of executors passes."""


@cache
def each_source() -> list[tuple[str, ast.Module]]:
    return [(str(path.relative_to(CHECKOUT)), ast.parse(path.read_text())) for path in SOURCES]


@cache
def calls_in(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [(ast.unparse(call.func), call) for call in calls]


def test_nothing_is_unpickled_or_evaluated() -> None:
    found = []
    for name, tree in each_source():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            found += [(name, one) for one in modules if one.partition(".")[0] in MODULES]
        found += [(name, called) for called, _ in calls_in(tree) if called in CALLS]

    assert len(SOURCES) > 80
    assert found == []


def test_nothing_that_reads_from_redis_or_an_executor_imports_by_name() -> None:
    readers = [*READERS, "plugins/rrq-executor-stdio/rrq_executor_stdio/process.py"]
    importers = [
        name
        for name, tree in each_source()
        for called, _ in calls_in(tree)
        if name.startswith(tuple(readers)) and called.rpartition(".")[2] == "import_module"
    ]

    assert importers == []


def test_no_shell_gets_a_text_that_is_put_together() -> None:
    shells = [
        (name, called)
        for name, tree in each_source()
        for called, call in calls_in(tree)
        if any(word.arg == "shell" for word in call.keywords) or "subprocess_shell" in called
    ]

    assert shells == []


@pytest.mark.parametrize("method", ["format", "format_map"])
def test_no_format_string_comes_from_data(method: str) -> None:
    found = [
        (name, called)
        for name, tree in each_source()
        for called, call in calls_in(tree)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == method
        and not isinstance(call.func.value, ast.Constant)
    ]

    # A template of this very file, filled with the bounds of a pydantic field.
    assert found in ([], [("rrq/config/executors.py", "template.format_map")])


def test_a_log_call_has_its_text_as_a_literal() -> None:
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    found = []
    for name, tree in each_source():
        for called, call in calls_in(tree):
            owner, _, level = called.rpartition(".")
            if level not in levels or not owner.rpartition(".")[2].strip("_").endswith("logger"):
                continue
            # A lone argument is not formatted, whatever it holds; with more it is a template.
            if len(call.args) > 1 and not isinstance(call.args[0], ast.Constant):
                found.append((name, called))

    assert found == []
