"""`examples/mixed-languages`, built, in a place to run it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.distributions import rrq_command
from tests.support.documents import CHECKOUT, Document
from tests.support.places import Place

from .support import done, need

EXAMPLE = CHECKOUT / "examples" / "mixed-languages"
LANGUAGES = ("Python", "Rust", "Go", "TypeScript")

need("cargo", "go", "node", "npm")


@cache
def build() -> None:
    """Run the example's own script."""
    done(["./build.sh"], EXAMPLE, limit_seconds=600)


def place_of(folder: Path) -> Iterator[Place]:
    """A folder with all that is in the example's, and nothing left running there."""
    build()
    for path in EXAMPLE.iterdir():
        (folder / path.name).symlink_to(path)
    yield from Place(folder, rrq_command().parent).lend()


def worker_command() -> list[str]:
    """How the README starts a worker, but for its Redis."""
    [line] = [line for line in shell_lines() if line.startswith("rrq worker run")]
    return [word for word in line.split() if word not in ("&", "--embedded-redis")]


def shell_lines() -> list[str]:
    """Each line of the README's shell blocks."""
    text = "".join(readme_blocks("sh"))
    return text.replace("\\\n", " ").splitlines()


def printed_in_readme() -> str:
    """What the producer prints, as the README has it."""
    return readme_blocks("text")[0]


def readme_blocks(language: str) -> list[str]:
    blocks = Document(EXAMPLE / "README.md").blocks()
    return [block.text for block in blocks if block.language == language]
