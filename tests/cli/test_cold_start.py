"""Every command as users start it: in a new Python that has imported nothing yet.

The other tests run most of them in processes that have (`tests/support/preloaded.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from rrq.cli.app import build
from tests.support.places import Ended, Place, Running

PARTS = 4

ELSEWHERE = {
    "demo": "tests/cli/test_demo.py",
    "worker run": "tests/journeys/test_quick_start.py",
    "queue list": "tests/cli/test_startup.py",
    "executor check": "tests/protocol/test_executor_check.py",
    "producer check": "tests/protocol/test_producer_check.py",
    "check": "tests/journeys/test_quick_start.py",
    "queue stats": "tests/journeys/test_quick_start.py",
    "job list": "tests/journeys/test_quick_start.py",
    "plugins list": "tests/journeys/test_quick_start.py",
}
"""What other tests start from nothing, and look at what it says: it need not be done twice."""

MORE_ARGUMENTS = {
    "debug generate-workers": ["--duration", "0.1"],
    "debug stress-test": ["--duration", "0.1"],
    "debug clear": ["--yes"],
}

GOES_ON = {"worker watch": "Worker rrq_worker_"}
"""What does not end by itself, and what it says when it is up."""


@pytest.mark.parametrize("part", range(PARTS))
def test_every_command_starts_from_nothing_and_ends_without_a_traceback(
    place: Place, redis_dsn: str, part: int
) -> None:
    lines = [words for words in _command_lines() if not _is_started_elsewhere(words)]
    assert len(lines) > 20
    place.run("rrq", "init")

    for words in lines[part::PARTS]:
        ended = _end(place.start("rrq", *words, cold=True, RRQ_REDIS_DSN=redis_dsn))
        assert ended.code in (0, 1, 2), f"{ended.command}: {ended.stderr}"
        assert ended.stdout or ended.stderr, ended.command
        assert "Traceback" not in ended.stderr, ended.stderr


def _is_started_elsewhere(words: list[str]) -> bool:
    return any(words[: len(command.split())] == command.split() for command in ELSEWHERE)


def _end(running: Running) -> Ended:
    for command, up in GOES_ON.items():
        if command in running.command:
            running.said(up)
            return running.stop()
    return running.wait()


def _command_lines() -> list[list[str]]:
    """Every command of ours and of the plugins in this checkout, with the fewest arguments."""
    lines = []
    for words, command in _leaves(typer.main.get_command(build(["a command of no plugin"]))):
        required = [parameter for parameter in command.params if parameter.required]
        arguments = [
            argument
            for parameter in required
            for argument in (
                (parameter.opts[0], "1") if parameter.param_type_name == "option" else ("x",)
            )
        ]
        lines.append([*words, *arguments, *MORE_ARGUMENTS.get(" ".join(words), [])])
    return lines


def _leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, one in command.commands.items():
        yield from _leaves(one, (*words, name))
