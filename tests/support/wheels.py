"""The distributions of this checkout, built once a test run, and uv to build and install them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from tests.support.once import once

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every wheel, each built from its source distribution, so that this is complete too."""

    def build(directory: Path) -> None:
        # uv alone would make sixteen environments of the same packages, which Python would
        # compile in each.
        with tempfile.TemporaryDirectory() as environment:
            python = f"{environment}/bin/python"
            uv("venv", "--python", sys.executable, environment, cwd=CHECKOUT)
            uv("pip", "install", "--python", python, *needed_to_build(), cwd=CHECKOUT)
            with_it = ("--no-build-isolation", "--python", python)
            uv("build", *with_it, "--all-packages", "--out-dir", str(directory), cwd=CHECKOUT)

    return once(tmp_path_factory, "dist", build)


def needed_to_build() -> list[str]:
    """What every distribution says that it is built with, the same and no more for each."""
    projects = [CHECKOUT / "pyproject.toml", *CHECKOUT.glob("plugins/*/pyproject.toml")]
    needed = [tomllib.loads(path.read_text())["build-system"]["requires"] for path in projects]
    assert all(requirements == needed[0] for requirements in needed), needed
    return list(needed[0])


def uv(*arguments: str, cwd: Path) -> None:
    """Run uv, which must succeed."""
    run = subprocess.run(
        [uv_program(), *arguments],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"uv {' '.join(arguments)}\n{run.stderr}"


def uv_program() -> str:
    """The uv that runs us, or the one that `make` uses."""
    candidates = (os.environ.get("UV"), shutil.which("uv"), shutil.which(CHECKOUT / ".uv/bin/uv"))
    found = next(filter(None, candidates), None)
    assert found, "uv is missing: `make sync` brings it"
    return found


def clean_environment() -> dict[str, str]:
    """Ours, without what would lead Python or uv back into the checkout."""
    misleading = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(misleading)}
