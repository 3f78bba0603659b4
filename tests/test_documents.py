"""Documents promise nothing that is not there: no link, command, option, file, variable or name."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rrq.settings import RRQSettings
from tests.support.documents import CHECKOUT, Document, documents

DOCUMENTS = documents()
BLOCKS = [(block.place, block) for document in DOCUMENTS for block in document.blocks()]


def each(documents: list[Document]) -> Any:
    """A test for each document, called by its name."""
    return pytest.mark.parametrize(
        "document", [pytest.param(document, id=document.name) for document in documents]
    )


def each_block(*languages: str) -> Any:
    """A test for each fenced block in one of these languages, called by its place."""
    found = [
        pytest.param(block, id=place) for place, block in BLOCKS if block.language in languages
    ]
    return pytest.mark.parametrize("block", found)


# -- links and files --------------------------------------------------------------------


@each(DOCUMENTS)
def test_a_relative_link_leads_to_a_file(document: Document) -> None:
    relative = [link for link in document.links() if not re.match(r"[a-z]+:|#", link)]

    missing = [
        link for link in relative if not (document.path.parent / link.partition("#")[0]).exists()
    ]

    assert missing == []


@each(DOCUMENTS)
def test_a_link_to_a_heading_finds_it(document: Document) -> None:
    anchored = [link for link in document.links() if "#" in link and ":" not in link]

    for link in anchored:
        path, _, anchor = link.partition("#")
        page = (document.path.parent / path) if path else document.path
        headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
        assert anchor in {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
        }, link


@each(DOCUMENTS)
def test_a_path_in_the_checkout_that_is_named_is_there(document: Document) -> None:
    ignored = (CHECKOUT / ".gitignore").read_text().split()
    tops = {path.name for path in CHECKOUT.iterdir()}
    words = {word for code in document.code() for word in code.split()}
    paths = {
        word.partition(":")[0]
        for word in words
        if re.fullmatch(r"[\w.-]+/([\w.-]+/?)*(:\d+)?", word)
        and (word.endswith("/") or word.partition("/")[0] in tops)
    }
    # A reader of CONTRIBUTING.md is told of the kernel's rooms by their names alone.
    rooms = (CHECKOUT, CHECKOUT / "rrq", document.path.parent)

    missing = {
        path
        for path in paths
        if path.partition("/")[0] + "/" not in ignored
        and not any((room / path).exists() for room in rooms)
    }

    assert missing == set()


# -- commands and options ---------------------------------------------------------------


@each(DOCUMENTS)
def test_a_command_that_is_named_exists_with_its_options(document: Document) -> None:
    problems = [problem for words in commands_in(document) if (problem := problem_with(words))]

    assert problems == []


@each(DOCUMENTS)
def test_an_option_that_is_named_alone_belongs_to_some_command(document: Document) -> None:
    named = {code.split()[0].partition("=")[0] for code in document.code() if code[:2] == "--"}

    assert named - options_of_rrq(root()) - options_of_the_executor() == set()


def commands_in(document: Document) -> Iterator[list[str]]:
    """Every command line in its shell blocks and in its text, as words."""
    lines = [code for code in document.code() if re.match(r"(rrq|rrq-executor|make) ", code)]
    for block in document.blocks():
        text = block.text.replace("\\\n", " ")
        if block.language == "console":
            lines += re.findall(r"^\$ (.+)$", text, re.M)
        elif block.language == "sh":
            lines += text.splitlines()
        elif not block.language:
            lines += re.findall(r"^(?:rrq|make) .+$", text, re.M)
    for line in lines:
        for part in re.split(r"&&|\|\||[|;]", line):
            words = shlex.split(part, comments=True)
            while words and re.match(r"[A-Z_]+=", words[0]):
                del words[0]
            if words:
                yield words


def problem_with(words: list[str]) -> str | None:
    """Why a command line cannot be right, as far as it is one of ours."""
    program = Path(words[0]).name
    if program == "make":
        targets = re.findall(r"^(\w+):", (CHECKOUT / "Makefile").read_text(), re.M)
        unknown = [word for word in words[1:] if word not in targets]
        return f"make has no {unknown}" if unknown else None
    if program == "rrq-executor" or words[:3] == ["rrq", "executor", "python"]:
        wrong = options_in(words) - options_of_the_executor()
    elif program == "rrq":
        command: Any = root()
        wrong = set()
        for word in words[1:]:
            if word.startswith("-"):
                wrong |= options_in([word]) - own_options(command)
            elif hasattr(command, "commands") and word != "…":
                if word not in command.commands:
                    return f"{shlex.join(words)}: there is no {word!r}"
                command = command.commands[word]
    else:
        return None
    return f"{shlex.join(words)}: there is no {sorted(wrong)}" if wrong else None


@cache
def root() -> Any:
    """The command `rrq` with everything below it."""
    import typer

    from rrq.cli.app import build

    return typer.main.get_command(build(["--help"]))


def own_options(command: Any) -> set[str]:
    """The options of one command; a group's belong to it alone."""
    return {"--help", *(name for parameter in command.params for name in parameter.opts)}


def options_of_rrq(command: Any) -> set[str]:
    """The options of a command and of all below it."""
    below = getattr(command, "commands", {}).values()
    return own_options(command).union(*map(options_of_rrq, below))


@cache
def options_of_the_executor() -> set[str]:
    """The options of the command `rrq-executor`."""
    program = Path(sys.executable).parent / "rrq-executor"
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"--[a-z-]+", told))


def options_in(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}


# -- variables and names ----------------------------------------------------------------


@each(DOCUMENTS)
def test_an_environment_variable_that_is_named_has_a_meaning(document: Document) -> None:
    named = set(re.findall(r"\bRRQ_[A-Z_]*[A-Z]\b", document.path.read_text()))
    settings = {f"RRQ_{key.upper()}" for key in RRQSettings.model_fields}

    assert named - settings - variables_in_the_sources() == set()


@cache
def variables_in_the_sources() -> set[str]:
    """Every name of a variable of ours that the code has."""
    sources = [*(CHECKOUT / "rrq").rglob("*.py"), *(CHECKOUT / "plugins").glob("*/rrq_*/*.py")]
    return {
        name
        for source in sources
        for name in re.findall(r"\bRRQ_[A-Z_]*[A-Z]\b", source.read_text())
    }


@each(DOCUMENTS)
def test_a_python_name_of_ours_that_is_named_can_be_imported(document: Document) -> None:
    for code in document.code():
        name = code.lstrip("@")
        if re.fullmatch(r"rrq(_\w+)?(\.\w+)+", name) and not re.search(r"\.(toml|NAME)\b", name):
            assert name in names_in_traces() or resolve(name) is not None, name


@cache
def names_in_traces() -> set[str]:
    """Every name of a span, an attribute or a metric that a plugin has."""
    sources = (CHECKOUT / "plugins").glob("*/rrq_*/*.py")
    return {
        name
        for source in sources
        for name in re.findall(r'"(rrq(?:\.[a-z_]+)+)"', source.read_text())
    }


def resolve(name: str) -> object:
    """The module or the member of a module that has this dotted name."""
    module, _, rest = name.partition(".")
    found: Any = importlib.import_module(module)
    for part in rest.split("."):
        module = f"{module}.{part}"
        if not hasattr(found, part):
            importlib.import_module(module)
        found = getattr(found, part)
    return found


# -- blocks -----------------------------------------------------------------------------


@each_block("python")
def test_python_compiles(block: Any) -> None:
    # A few lines out of a coroutine may stand alone, as they do in a notebook.
    compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@each_block("json")
def test_json_parses(block: Any) -> None:
    json.loads(block.text)


@each_block("toml")
def test_a_configuration_is_one_that_rrq_takes(
    block: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rrq.config import load_settings
    from rrq.config.executors import executor_options
    from rrq.plugins import load_plugins

    table = tomllib.loads(block.text)
    if "rrq" not in table:
        return
    monkeypatch.chdir(tmp_path)
    Path("rrq.toml").write_text(block.text)

    loaded = load_settings()

    assert loaded.warnings == []
    for name, executor in loaded.settings.executors.items():
        transport = load_plugins().transport(executor.type)
        executor_options(name, executor, transport.config_model, loaded)
