"""The command lines: `rrq-executor` and `rrq executor python`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(sys.executable).parent


def run(*command: str, requests: str = "") -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("RRQ_")}
    return subprocess.run(
        [str(SCRIPTS / command[0]), *command[1:]],
        input=requests,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env=own,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("command", [["rrq-executor"], ["rrq", "executor", "python"]])
def test_it_answers_requests_on_stdin(command: list[str]) -> None:
    context = {"job_id": "a", "attempt": 1, "enqueue_time": "2026-01-01T12:00:00Z"}
    request = {"job_id": "a", "function_name": "greet", "args": ["Ada"]}
    line = json.dumps({**request, "context": {**context, "queue_name": "q"}})
    ended = run(*command, "--settings", "handlers.settings", requests=line)
    assert json.loads(ended.stdout) == {
        "job_id": "a",
        "status": "success",
        "result": "Hello, Ada",
    }
    assert ended.returncode == 0


def test_its_stdout_may_be_a_file(tmp_path: Path) -> None:
    context = {"job_id": "a", "attempt": 1, "enqueue_time": "2026-01-01T12:00:00Z"}
    request = {"job_id": "a", "function_name": "make_noise"}
    line = json.dumps({**request, "context": {**context, "queue_name": "q"}})
    with (tmp_path / "outcomes").open("w") as outcomes:
        ended = subprocess.run(
            [str(SCRIPTS / "rrq-executor"), "--settings", "handlers.settings"],
            input=line,
            stdout=outcomes,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
            timeout=30,
            check=True,
        )
    assert json.loads((tmp_path / "outcomes").read_text())["status"] == "success"
    for words in ("from print", "to __stdout__", "from os.write", "from a shell"):
        assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_executor_whose_handlers_need_no_redis_does_not_import_it() -> None:
    context = {"job_id": "a", "attempt": 1, "enqueue_time": "2026-01-01T12:00:00Z"}
    request = {"job_id": "a", "function_name": "which_are_imported", "args": ["redis", "msgspec"]}
    line = json.dumps({**request, "context": {**context, "queue_name": "q"}})
    ended = run("rrq-executor", "--settings", "handlers.settings", requests=line)
    assert json.loads(ended.stdout)["result"] == ["msgspec"]


def test_the_exit_status_is_passed_on() -> None:
    assert run("rrq", "executor", "python").returncode == 2
    assert run("rrq", "executor", "python", "--settings", "no.such.thing").returncode == 1


def test_help_names_the_options() -> None:
    ended = run("rrq-executor", "--help")
    assert ended.returncode == 0
    for option in ("--settings", "--config", "--max-in-flight", "--grace-seconds"):
        assert option in ended.stdout
