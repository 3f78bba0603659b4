"""RRQ as README.md says it is installed, once a test run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import CHECKOUT, Document
from tests.support.once import once
from tests.support.places import Place
from tests.support.wheels import uv_program

README = Document(CHECKOUT / "README.md")

INSTEAD = {
    "make wheels": "test -d dist",
    "python3 -m venv venv": '"$UV" venv --quiet --seed --python "$(command -v python3)" venv',
    "rrq demo": "rrq demo --limit 40",
}
"""What README's lines are replaced by: the wheels are there, uv brings pip into an environment
without unpacking and compiling it, and the whole demo takes long."""


@pytest.fixture(scope="session")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` directory of the virtual environment that README's "Install" makes."""

    def install(directory: Path) -> None:
        shutil.copytree(dist, directory / "dist", dirs_exist_ok=True)
        (block,) = (b for b in README.blocks() if b.heading == "Install" and b.language == "sh")
        lines = block.text.splitlines()
        assert INSTEAD.keys() <= set(lines)
        script = "\n".join(INSTEAD.get(line, line) for line in lines)
        for place in Place(directory, Path(sys.executable).parent).lend():
            # What is never imported need not be compiled.
            variables = {"UV": uv_program(), "PIP_COMPILE": "0"}
            ended = place.run("sh", "-e", "-c", script, within_seconds=100, **variables)
            # The last line ran the demo, from the environment that it activated.
            assert "COMPLETED\t40\t" in ended.stdout

    return once(tmp_path_factory, "installed", install) / "venv" / "bin"


@pytest.fixture
def project(environment: Path, tmp_path: Path) -> Iterator[Place]:
    """An empty directory, far from the checkout, with that environment activated."""
    directory = tmp_path / "project"
    directory.mkdir()
    yield from Place(directory, environment).lend()
