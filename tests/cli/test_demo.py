"""`rrq demo`: what it shows, what it leaves on request, and that it leaves nothing otherwise.

The fixture `place` fails a test that leaves a process.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support.places import Place
from tests.support.terminals import CTRL_C, Terminal
from tests.support.waiting import eventually_blocking
from tests.support.wheels import uv


def test_the_tables_say_what_became_of_the_jobs_and_how_fast(place: Place) -> None:
    ended = place.run("rrq", "demo", "--limit", "60")

    tables = [
        [line.split("\t") for line in table.splitlines()]
        for table in ended.stdout.strip().split("\n\n")
    ]
    outcomes, figures, largest = tables
    assert outcomes == [["outcome", "jobs", "meaning"], ["COMPLETED", "60", "parsed and measured"]]
    assert [row[0] for row in figures] == [
        "figure",
        "executor processes",
        "throughput",
        "all jobs took",
        "in the queue, p50 / p99",
        "from claim to result, p50 / p99",
    ]
    assert largest[0] == ["module", "lines", "functions", "classes"]
    lines = [int(row[1]) for row in largest[1:]]
    assert len(lines) == 8
    assert lines == sorted(lines, reverse=True)
    assert min(lines) > 0
    assert re.match(r"(Valkey|Redis) \S+ at unix:\S+, 60 modules in /", ended.stderr)
    assert list(place.temporary.iterdir()) == []


def test_whatever_configures_rrq_here_the_demo_runs_on_its_own_redis(place: Place) -> None:
    place.write(".env", "RRQ_KEY_PREFIX=shop\nRRQ_REDIS_DSN=redis://localhost:1/0\n")
    place.write("rrq.toml", '[rrq]\nredis_dsn = "redis://localhost:1/0"\n')

    ended = place.run("rrq", "demo", "--limit", "3", RRQ_REDIS_DSN="redis://localhost:1/0")

    assert "COMPLETED\t3\t" in ended.stdout


def test_a_redis_that_is_kept_answers_the_commands_that_are_printed(place: Place) -> None:
    ended = place.run("rrq", "demo", "--limit", "5", "--keep")
    *look, end = re.findall(r"^  (.+)$", ended.stderr, re.M)
    assert [command.split()[1] for command in look] == ["queue", "dlq", "job"]
    assert place.processes()

    queues, dead, job = (place.run("sh", "-c", command) for command in look)
    place.run("sh", "-c", end)

    assert queues.stdout.splitlines()[1].split("\t")[:2] == ["default", "0"]
    assert dead.stderr == "No dead letter in default.\n"
    assert "status\tCOMPLETED\n" in job.stdout
    eventually_blocking(lambda: not place.processes(), 10, "the end of the kept Redis")
    assert list(place.temporary.iterdir()) == []


@pytest.mark.parametrize("presses", [1, 2])
def test_control_c_in_the_middle_ends_all_of_it_within_seconds(place: Place, presses: int) -> None:
    terminal = Terminal(["rrq", "demo"], place.directory, place.environment())
    terminal.shows(r"\D[1-9]\d*/\d{3,}")

    for _ in range(presses):
        terminal.type(CTRL_C)

    code = terminal.wait(within_seconds=10)
    assert code == 130 or presses > 1
    assert "Traceback" not in terminal.written
    eventually_blocking(lambda: not place.processes(), 10, "the end of every process")
    eventually_blocking(lambda: not list(place.temporary.iterdir()), 5, "the end of its directory")


def test_a_demo_that_is_killed_takes_all_of_it_along(place: Place) -> None:
    terminal = Terminal(["rrq", "demo"], place.directory, place.environment(), cold=True)
    terminal.shows(r"\D[1-9]\d*/\d{3,}")

    terminal.process.send_signal(signal.SIGKILL)

    assert terminal.wait(within_seconds=5) == -signal.SIGKILL
    eventually_blocking(lambda: not place.processes(), 20, "the end of every process")
    eventually_blocking(lambda: not list(place.temporary.iterdir()), 5, "the end of its directory")


def test_without_the_python_runtime_its_package_is_named(
    dist: Path, tmp_path: Path, place: Place
) -> None:
    venv = tmp_path / "venv"
    uv("venv", str(venv), cwd=dist)
    python = str(venv / "bin" / "python")
    (wheel,) = dist.glob("rrq-*.whl")
    uv("pip", "install", "--python", python, wheel.name, cwd=dist)

    ended = place.run(venv / "bin" / "rrq", "demo", code=1)

    assert ended.stdout == ""
    assert ended.stderr == (
        'error: No plugin offers executor type "python": pip install rrq-executor-python\n'
    )
