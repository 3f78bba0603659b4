"""The examples as somebody else has them: their distributions installed, their folders copied."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.distributions import rrq_command
from tests.support.documents import CHECKOUT
from tests.support.once import once
from tests.support.places import Place
from tests.support.wheels import uv

EXAMPLES = CHECKOUT / "examples"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every example that is a distribution, built and installed."""

    def install(directory: Path) -> None:
        projects = [str(path.parent) for path in EXAMPLES.glob("*/pyproject.toml")]
        into = ("--quiet", "--no-deps", "--python", sys.executable, "--target", str(directory))
        uv("pip", "install", *into, *projects, cwd=CHECKOUT)

    return once(tmp_path_factory, "examples", install)


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Makes a place that is a copy of an example's folder, to run it there."""
    lent: list[Iterator[Place]] = []

    def copied(name: str) -> Place:
        ignored = shutil.ignore_patterns("__pycache__", "tests", "build")
        folder = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=ignored)
        lending = Place(folder, rrq_command().parent).lend()
        lent.append(lending)
        return next(lending)

    yield copied
    for lending in lent:
        next(lending, None)


@pytest.fixture
def passes_its_own_tests(installed: Path) -> Callable[[str], None]:
    """Runs the tests in an example's folder from there; they must pass."""

    def run(name: str) -> None:
        options = ("-p", "no:cacheprovider", "-p", "no:logfire", "-p", "no:ddtrace")
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=EXAMPLES / name,
            env={**os.environ, "PYTHONPATH": str(installed), "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    return run
