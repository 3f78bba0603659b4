"""The wheels, installed as a user does it, outside the checkout.

The public registry serves the third-party dependencies; RRQ itself must come from our wheels
alone, though the registry knows older releases of that name.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from rrq import __version__
from tests.support.wheels import CHECKOUT, clean_environment, uv

DISTRIBUTIONS = ["rrq", *sorted(path.name for path in (CHECKOUT / "plugins").glob("rrq-*"))]
IN_ALL = ["rrq", "rrq-executor-stdio", "rrq-executor-python"]
"""What `rrq[all]` must bring of ours."""


@dataclass(frozen=True)
class Installation:
    """A virtual environment outside the checkout."""

    directory: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, in a directory where nothing of ours lies."""
        return subprocess.run(
            [self.directory / "bin" / program, *arguments],
            cwd=self.directory,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def installation(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """RRQ with all its extras, in an environment that had nothing before."""
    directory = tmp_path_factory.mktemp("elsewhere") / "venv"
    uv("venv", "--python", sys.executable, str(directory), cwd=dist)
    # The lower bound keeps out the releases before this one that the registry may hold.
    requirement = f"rrq[all]>={__version__}"
    python = directory / "bin" / "python"
    uv("pip", "install", "--python", str(python), "--find-links", ".", requirement, cwd=dist)
    return Installation(directory)


def test_every_distribution_has_a_wheel_of_this_version(dist: Path) -> None:
    built = sorted(wheel.name for wheel in dist.glob("*.whl"))
    expected = sorted(
        f"{package_of(distribution)}-{__version__}-py3-none-any.whl"
        for distribution in DISTRIBUTIONS
    )
    assert built == expected


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_a_wheel_holds_its_package_with_types_and_nothing_else(
    dist: Path, distribution: str
) -> None:
    package = package_of(distribution)
    names = contents(dist, package)
    assert f"{package}/py.typed" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {package, f"{package}-{__version__}.dist-info"}
    assert not any("test_" in name or name.endswith((".pyc", "conftest.py")) for name in names)


def test_the_wheel_holds_the_test_vectors(dist: Path) -> None:
    vectors = {path.name for path in (CHECKOUT / "tests" / "vectors").iterdir()}
    folder = "rrq/conformance/vector_files/"
    found = {name.removeprefix(folder) for name in contents(dist, "rrq") if folder in name}
    assert found == vectors


def test_the_wheel_holds_every_lua_step(dist: Path) -> None:
    steps = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "rrq").rglob("*.lua")}
    assert steps
    assert steps <= set(contents(dist, "rrq"))


@pytest.mark.parametrize("distribution", IN_ALL)
def test_what_is_installed_is_our_wheel_and_no_older_release(
    dist: Path, installation: Installation, distribution: str
) -> None:
    package = package_of(distribution)
    code = f"import importlib.metadata as m; print(m.distribution('{distribution}').version)"
    assert installation.run("python", "-c", code).stdout.strip() == __version__
    code = f"import {package}; print({package}.__file__)"
    home = Path(installation.run("python", "-c", code).stdout.strip()).parent
    assert home.is_relative_to(installation.directory)
    with zipfile.ZipFile(wheel_of(dist, package)) as wheel:
        for name in wheel.namelist():
            if name.startswith(f"{package}/"):
                assert (home.parent / name).read_bytes() == wheel.read(name), name


def test_the_installed_command_tells_its_version(installation: Installation) -> None:
    answer = installation.run("rrq", "--version")
    assert answer.returncode == 0, answer.stderr
    assert __version__ in answer.stdout
    assert answer.stderr == ""


def test_the_installed_plugins_are_found_and_sound(installation: Installation) -> None:
    answer = installation.run("rrq", "plugins", "list")
    assert answer.returncode == 0, answer.stderr
    rows = {line.split("\t")[0]: line for line in answer.stdout.splitlines()}
    for plugin in ("stdio", "python"):
        assert plugin in rows, answer.stdout
        assert "failed" not in rows[plugin]
    assert answer.stderr == ""


def test_the_installed_embedded_server_starts(installation: Installation) -> None:
    code = """
from rrq.embedded import EmbeddedRedis
from rrq.embedded.binary import bundled_binary
with EmbeddedRedis(binary=bundled_binary()) as server:
    print(server.version())
"""
    answer = installation.run("python", "-c", code)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("Valkey ")


# -- helpers ----------------------------------------------------------------------------


def package_of(distribution: str) -> str:
    return distribution.replace("-", "_")


def contents(dist: Path, package: str) -> list[str]:
    with zipfile.ZipFile(wheel_of(dist, package)) as wheel:
        return wheel.namelist()


def wheel_of(dist: Path, package: str) -> Path:
    (wheel,) = dist.glob(f"{package}-*.whl")
    return wheel
