"""`rrq init`: what it writes runs, what is there stays, and the steps that it prints are true."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from rrq import starter
from tests.support.documents import CHECKOUT, Document
from tests.support.places import Place
from tests.support.ports import free_port

FILES = {"rrq.toml", "handlers.py", "executor_config.py"}


def files_in(directory: Path) -> dict[str, str]:
    """What the files of a project hold, by name."""
    return {one.name: one.read_text() for one in directory.iterdir() if one.suffix in FILES_END}


FILES_END = {".toml", ".py"}


def steps(said: str) -> list[str]:
    """The commands that are printed as next steps."""
    return re.findall(r"^  (.+)$", said.partition("\nNext:\n")[2], re.M)


def run_a_job(place: Place, redis_dsn: str, directory: str = ".", function: str = "greet") -> str:
    """Submit a job as the next steps say, let a worker run it, and return its result."""
    command = f"cd {shlex.quote(directory)} && exec rrq"
    submitted = place.run(
        *("sh", "-c", f"{command} debug submit {function} --args '[\"world\"]'"),
        RRQ_REDIS_DSN=redis_dsn,
    )
    job_id = submitted.stdout.strip()
    place.run("sh", "-c", f"{command} worker run --burst", RRQ_REDIS_DSN=redis_dsn)
    shown = place.run("rrq", "job", "show", job_id, "--json", "--redis-dsn", redis_dsn)
    job = json.loads(shown.stdout)
    assert job["status"] == "COMPLETED", job
    return str(job["result"])


def test_the_files_are_those_of_the_quick_start_in_the_readme() -> None:
    blocks = Document(CHECKOUT / "README.md").blocks()
    shown = {block.file_name: block.text.partition("\n")[2] for block in blocks if block.file_name}

    assert {name: shown[name] for name in FILES} == {
        "rrq.toml": starter.CONFIGURATION_TEXT,
        "handlers.py": starter.HANDLERS_TEXT,
        "executor_config.py": starter.registration_text(["greet", "word_count"]),
    }


def test_a_new_project_runs_a_job(place: Place, redis_dsn: str) -> None:
    ended = place.run("rrq", "init", "my shop", RRQ_REDIS_DSN=redis_dsn)

    assert ended.stdout == ""
    assert set(files_in(place.directory / "my shop")) == FILES
    assert ended.stderr.splitlines()[:3] == [
        "Written: my shop/rrq.toml",
        "Written: my shop/handlers.py",
        "Written: my shop/executor_config.py",
    ]
    # The Redis of this test is no address that an embedded one could stand in for.
    assert steps(ended.stderr) == [
        "cd 'my shop'",
        "rrq worker run",
        "rrq debug submit greet --args '[\"world\"]'",
    ]
    assert run_a_job(place, redis_dsn, "my shop") == "Hello, world!"


def test_without_a_redis_the_printed_worker_brings_its_own(place: Place) -> None:
    dsn = f"redis://localhost:{free_port()}/0"
    said = place.run("rrq", "init", RRQ_REDIS_DSN=dsn).stderr

    work, submit = steps(said)
    assert work == "rrq worker run --embedded-redis"
    worker = place.start(*shlex.split(work), "--log-level", "debug", RRQ_REDIS_DSN=dsn)
    worker.said("Worker rrq_worker_")
    job_id = place.run(*shlex.split(submit), RRQ_REDIS_DSN=dsn).stdout.strip()
    worker.said(f"Job {job_id} completed")
    assert worker.stop().code == 0


def test_what_is_there_is_left_alone_and_said_so(place: Place, redis_dsn: str) -> None:
    place.write("handlers.py", "def shout(ctx, word):\n    return word.upper()\n")
    before = files_in(place.directory)

    ended = place.run("rrq", "init", RRQ_REDIS_DSN=redis_dsn)

    assert ended.stderr.splitlines()[:3] == [
        "Written: rrq.toml",
        "Written: executor_config.py",
        "Left alone: handlers.py",
    ]
    assert files_in(place.directory).items() >= before.items()
    # No job is suggested that these handlers do not know, and those that they have run.
    assert steps(ended.stderr) == ["rrq worker run"]
    assert run_a_job(place, redis_dsn, function="shout") == "WORLD"


def test_a_second_time_changes_nothing(place: Place, redis_dsn: str) -> None:
    place.run("rrq", "init", RRQ_REDIS_DSN=redis_dsn)
    before = files_in(place.directory)

    ended = place.run("rrq", "init", RRQ_REDIS_DSN=redis_dsn)

    assert files_in(place.directory) == before
    assert "Written" not in ended.stderr
    assert "Nothing is missing here." in ended.stderr


def test_handlers_that_are_gone_come_back_if_they_are_imported(
    place: Place, redis_dsn: str
) -> None:
    place.run("rrq", "init", RRQ_REDIS_DSN=redis_dsn)
    (place.directory / "handlers.py").unlink()

    place.run("rrq", "init", RRQ_REDIS_DSN=redis_dsn)

    assert files_in(place.directory)["handlers.py"] == starter.HANDLERS_TEXT


def test_a_configuration_that_runs_something_else_needs_nothing(place: Place) -> None:
    place.write("rrq.toml", '[rrq.executors.python]\ntype = "stdio"\ncmd = ["cat"]\n')

    ended = place.run("rrq", "init")

    assert set(files_in(place.directory)) == {"rrq.toml"}
    assert "Left alone: rrq.toml" in ended.stderr


def test_a_configuration_without_an_executor_is_told_what_to_add(
    place: Place, redis_dsn: str
) -> None:
    configuration = place.write("rrq.toml", "[rrq]\ndefault_max_retries = 2\n")

    said = place.run("rrq", "init", RRQ_REDIS_DSN=redis_dsn).stderr

    table = said.partition("Add:\n\n")[2].partition("\n\n")[0]
    assert table.startswith("[rrq.executors.python]\n")
    configuration.write_text(f"{configuration.read_text()}\n{table}\n")
    assert run_a_job(place, redis_dsn) == "Hello, world!"


@pytest.mark.parametrize("name", ["file", "file/shop"])
def test_where_no_directory_can_be_the_reason_is_told_in_one_line(place: Place, name: str) -> None:
    place.write("file", "")

    ended = place.run("rrq", "init", name, code=1)

    assert re.fullmatch(
        rf"error: {name}: (File exists|Not a directory)\. Name a directory to write to\.\n",
        ended.stderr,
    )
