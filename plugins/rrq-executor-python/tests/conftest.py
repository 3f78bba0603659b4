"""Starting real runtime processes, which end with the test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .runtime_process import RuntimeProcess

Start = Callable[..., RuntimeProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process; its hello is yet to be read."""
    started: list[RuntimeProcess] = []
    numbers = itertools.count(1)

    def start_one(**options: Any) -> RuntimeProcess:
        process = RuntimeProcess(tmp_path / f"stderr-{next(numbers)}", **options)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()


@pytest.fixture
def runtime(start: Start) -> RuntimeProcess:
    """A process that is ready."""
    process = start()
    assert process.next_message()["type"] == "hello"
    return process
