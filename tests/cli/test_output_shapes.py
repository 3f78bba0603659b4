"""What programs can rely on: the shape of every answer, in a pipe and as JSON.

The answers are those of real commands about the jobs of a real worker.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest

from rrq.cli.reference import schema_name, walk
from tests.support.busy import BusyPlace
from tests.support.busy import busy as busy
from tests.support.documents import CHECKOUT
from tests.support.places import Ended

FOLDER = CHECKOUT / "docs" / "reference" / "schemas" / "cli"
SCHEMAS = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}

LOOKS = """
check
check --config-only
doctor --patience 0
queue list
queue list --show-empty
queue stats
queue stats --functions
queue inspect night
queue inspect default
job list
job active
job show done
job show failed
job show running
job show paused
job explain done
job explain running
job explain retrying
job explain paused
job explain unique
job trace done
job trace retrying
dlq list
dlq stats
dlq inspect failed
dlq requeue --all --dry-run
dlq delete --all --dry-run
cron list
plugins list
plugins list --all
plugins show stdio
plugins show prometheus
executor check --only hello -- rrq-executor --settings handlers:settings
producer check -- true
"""

ACTS = """
queue pause night
queue resume mail
job replay done
job replay unique
job cancel deferred
dlq requeue --queue mail --limit 1
dlq delete --job-id failed --yes
cron run 'new year'
debug stress-test --duration 0.1
"""
"""These change what others look at, and so come last, in this order."""

COMMANDS = [line for line in (LOOKS + ACTS).splitlines() if line]

HEADINGS = {
    "check --config-only": "key value origin",
    "queue list": "queue waiting due first·due last·due paused enqueued completed failed retried "
    "lost per·minute",
    "queue inspect night": "number id function status scheduled retries",
    "job list": "id function queue status enqueued started ended seconds error",
    "job active": "id function queue worker executor started attempt deadline progress lease·left",
    "job trace retrying": "time event duration attempt worker executor error",
    "dlq list": "id function queue error failed·at attempts",
    "dlq requeue --all --dry-run": "id function queue error failed·at attempts",
    "dlq delete --all --dry-run": "id function queue error failed·at attempts",
    "cron list": "name schedule zone function queue last·slot next·slot unique misfire",
    "plugins list": "name version distribution adds status",
}
"""The first line of a table in a pipe; a point stands for a space within a name."""

NAMES = {
    "job show done": "id status function queue enqueued due started ended duration worker "
    "failed·attempts lost args kwargs result error",
}
"""The first cells of what is told of one thing in a pipe."""


@pytest.fixture(scope="module")
def answers(busy: BusyPlace) -> dict[str, Ended]:
    """What each command said with `--json`."""
    return {line: answer(busy, line) for line in COMMANDS}


def answer(busy: BusyPlace, line: str) -> Ended:
    """What a command says with `--json`; one that runs a program does so in the busy place."""
    command, dashes, program = line.partition(" -- ")
    if not dashes:
        return busy.rrq(*words(busy, line), "--json")
    return busy.place.run("rrq", *command.split(), "--json", "--", *program.split(), code=None)


@pytest.fixture(scope="module")
def plain(busy: BusyPlace, answers: dict[str, Ended]) -> dict[str, Ended]:
    """What some of them said without."""
    return {line: busy.rrq(*words(busy, line)) for line in (*HEADINGS, *NAMES)}


def words(busy: BusyPlace, line: str) -> list[str]:
    """The words of a command line, with the ids of jobs for their names."""
    return [busy.ids.get(word, word) for word in shlex.split(line)]


@cache
def commands_with_json() -> frozenset[str]:
    import typer

    from rrq.cli.app import build

    root = typer.main.get_command(build(["--help"]))
    return frozenset(
        path
        for path, command in walk(root)
        if any("--json" in parameter.opts for parameter in command.params)
    )


def command_of(line: str) -> str:
    """The command that a command line is of."""
    return max(
        (path for path in commands_with_json() if f"{line} ".startswith(f"{path} ")), key=len
    )


def objects_in(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of an object in this one, with its place."""
    if isinstance(schema, dict):
        kinds = schema.get("type", [])
        if "object" in ([kinds] if isinstance(kinds, str) else kinds):
            yield place, schema
        for name, below in schema.items():
            yield from objects_in(below, f"{place}/{name}")
    elif isinstance(schema, list):
        for number, below in enumerate(schema):
            yield from objects_in(below, f"{place}/{number}")


# -- as JSON ----------------------------------------------------------------------------


def test_every_command_that_prints_json_has_a_schema_and_every_schema_a_command() -> None:
    needed = {schema_name(path) for path in commands_with_json()}

    assert SCHEMAS.keys() == needed, (
        f"write docs/reference/schemas/cli for {sorted(needed - SCHEMAS.keys())}"
    )


def test_every_command_that_prints_json_is_asked_here() -> None:
    assert {command_of(line) for line in COMMANDS} == commands_with_json()


@pytest.mark.parametrize("line", COMMANDS)
def test_an_answer_has_the_shape_that_is_documented(answers: dict[str, Ended], line: str) -> None:
    answer = answers[line]
    validator = jsonschema.Draft202012Validator(SCHEMAS[schema_name(command_of(line))])

    found = json.loads(answer.stdout)

    problems = [
        f"{problem.json_path}: {problem.message[:300]}"
        for error in validator.iter_errors(found)
        for problem in (error.context or [error])
    ]
    assert problems == []
    # The doctor has something to find here, and the other two are no whole implementations.
    finds = line.startswith(("doctor", "executor", "producer"))
    assert answer.code in ({0, 1} if finds else {0}), answer.stderr


@pytest.mark.parametrize("line", [line for line in LOOKS.splitlines() if line])
def test_an_answer_says_something(answers: dict[str, Ended], line: str) -> None:
    assert json.loads(answers[line].stdout)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_says_what_it_is_about(name: str) -> None:
    schema = SCHEMAS[name]

    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:rrq:cli:{name.removesuffix('.json')}:1"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_promises_every_field_and_leaves_none_unsaid(name: str) -> None:
    for place, schema in objects_in(SCHEMAS[name]):
        fields = schema.get("properties", {})
        if "$comment" not in schema:
            assert set(schema.get("required", [])) == set(fields), place
        # Either all names are known, or what they name is free: arguments, results.
        assert schema["additionalProperties"] is not bool(fields), place
        assert all(field.get("description") for field in fields.values()), place


# -- in a pipe --------------------------------------------------------------------------


@pytest.mark.parametrize("line", HEADINGS)
def test_a_table_has_the_columns_that_scripts_know(plain: dict[str, Ended], line: str) -> None:
    heading, *rows = plain[line].stdout.splitlines()

    assert heading.replace(" ", "·").replace("\t", " ") == HEADINGS[line]
    assert rows
    assert {row.count("\t") for row in rows} == {heading.count("\t")}


@pytest.mark.parametrize("line", NAMES)
def test_details_have_the_names_that_scripts_know(plain: dict[str, Ended], line: str) -> None:
    names = [row.partition("\t")[0] for row in plain[line].stdout.splitlines()]

    assert " ".join(name.replace(" ", "·") for name in names) == NAMES[line]


def test_in_a_pipe_there_is_neither_colour_nor_ellipsis(plain: dict[str, Ended]) -> None:
    for ended in plain.values():
        assert "\x1b" not in ended.stdout + ended.stderr
        assert "…" not in ended.stdout
