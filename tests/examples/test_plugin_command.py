"""The command plugin: its own tests, and its place in `rrq --help`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.places import Place


def test_the_plugin_passes_its_own_tests(passes_its_own_tests: Callable[[str], None]) -> None:
    passes_its_own_tests("plugin-command")


def test_the_command_stands_in_the_help_and_runs(
    example: Callable[[str], Place], installed: Path, redis_dsn: str
) -> None:
    place = example("plugin-command")
    variables = {"RRQ_REDIS_DSN": redis_dsn, "PYTHONPATH": str(installed)}

    assert "drained" in place.run("rrq", "--help", **variables).stdout
    assert place.run("rrq", "drained", "default", **variables).stdout == (
        "queue\twaiting\ndefault\t0\n"
    )
