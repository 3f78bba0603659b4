"""A job costs no more than its budget: counted, not timed, so that a busy machine does not tell."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def figures(text: str) -> dict[str, float]:
    """Figures by `section.name`."""
    return {
        f"{of}.{what}": float(figure)
        for of, section in tomllib.loads(text).items()
        for what, figure in section.items()
    }


BUDGET = figures((HERE / "budget.toml").read_text())

TOLERANCE = 1.15
"""Python's versions differ a little in what counts as a call."""

LOOSER = {"worker.redis_calls": 2.0}
"""How many jobs a batch brings together depends on the machine's mood."""

STALE = 0.7
"""Below this part of the budget, the budget no longer guards anything."""


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    """One run: a few thousand jobs through a real worker with a real executor."""
    command = [sys.executable, "-m", "tests.performance.counts"]
    counted = subprocess.run(
        command, cwd=HERE.parent.parent, capture_output=True, text=True, timeout=60
    )
    assert counted.returncode == 0, counted.stderr
    return figures(counted.stdout)


def test_every_figure_has_a_budget(measured: dict[str, float]) -> None:
    assert set(measured) == set(BUDGET)


@pytest.mark.parametrize("name", BUDGET)
def test_a_job_costs_no_more_than_its_budget(name: str, measured: dict[str, float]) -> None:
    limit = BUDGET[name] * LOOSER.get(name, TOLERANCE)

    assert measured[name] <= limit, f"{name}: see the head of tests/performance/budget.toml"


@pytest.mark.parametrize("name", [name for name in BUDGET if name not in LOOSER])
def test_a_budget_that_is_far_too_large_is_made_smaller(
    name: str, measured: dict[str, float]
) -> None:
    assert measured[name] >= BUDGET[name] * STALE
