"""README's "Install" and "Quick start", done as they are written, by somebody who has nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import pytest

from rrq.embedded import EmbeddedRedis
from tests.support.documents import CHECKOUT, Block, Document
from tests.support.places import Place, Running
from tests.support.ports import free_port
from tests.support.waiting import eventually_blocking

README = Document(CHECKOUT / "README.md")
PORT = "localhost:6379"
"""The address in README's rrq.toml, which other tests and other people use too."""

# The first of the journeys waits for the installation.
pytestmark = pytest.mark.timeout(300)


def quick_start() -> list[Block]:
    """The blocks of README's "Quick start", in order."""
    return [block for block in README.blocks() if block.heading == "Quick start"]


def write_files(project: Place, port: int) -> None:
    """Every file of the quick start, with a port of its own."""
    files = {block.file_name: block.text for block in quick_start() if block.file_name}
    assert set(files) == {"handlers.py", "executor_config.py", "rrq.toml", "enqueue.py"}
    assert PORT in files["rrq.toml"]
    for name, text in files.items():
        project.write(name, text.replace(PORT, f"localhost:{port}"))


def shell_blocks() -> Iterator[tuple[str, str | None]]:
    """Each shell block with what README shows that it prints, if it does."""
    for block, following in pairwise([*quick_start(), Block("", "", "end", "")]):
        if block.language == "sh":
            yield block.text.strip(), None if following.language else following.text


@pytest.mark.parametrize("option", ["", " --embedded-redis"], ids=["own Redis", "embedded Redis"])
def test_the_quick_start_does_what_it_says(project: Place, option: str) -> None:
    port = free_port()
    write_files(project, port)
    worker: Running | None = None
    shown: dict[str, str] = {}

    with nullcontext() if option else EmbeddedRedis(port=port):
        for command, promised in shell_blocks():
            if command == "rrq worker run":
                worker = project.start("sh", "-c", f"exec {command}{option}")
                worker.said("Worker rrq_worker_")
                continue
            ended = project.run("sh", "-e", "-c", command)
            assert promised is None or ended.stdout == promised
            shown[command] = ended.stdout
        assert worker is not None
        stopped = worker.stop()

    assert stopped.code == 0
    assert "Traceback" not in stopped.stderr
    eventually_blocking(lambda: not project.processes(), 5, "the end of every process")
    assert list(project.temporary.iterdir()) == []
    asked = "rrq check\nrrq queue stats\nrrq job list --since 1h\nrrq plugins list"
    assert list(shown) == ["python enqueue.py", asked]
    look = shown[asked]
    assert "rrq_worker_" in look
    assert "word_count\tdefault\tCOMPLETED" in look
    assert "rrq-executor-python" in look


def test_what_is_installed_is_not_the_checkout(project: Place) -> None:
    ended = project.run("python", "-c", "import rrq, sys; print(rrq.__file__, sys.prefix)")

    module, prefix = ended.stdout.split()
    assert Path(module).is_relative_to(prefix)
    assert not Path(module).is_relative_to(CHECKOUT)
