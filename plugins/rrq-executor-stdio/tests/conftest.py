"""Executors of the tests, and a stdio transport around any program."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rrq.testing.transport_subject import TransportSubject
from rrq_executor_stdio import StdioConfig, StdioTransport

EXECUTORS = Path(__file__).parent / "executors"

Program = Callable[[str], list[str]]
Running = Callable[..., AbstractAsyncContextManager[TransportSubject]]


@pytest.fixture
def plain() -> list[str]:
    """The command of an executor without hello."""
    return [sys.executable, str(EXECUTORS / "one_at_a_time.py")]


@pytest.fixture
def greeting() -> list[str]:
    """The command of an executor that offers `cancel` and wants two requests at once."""
    return [sys.executable, str(EXECUTORS / "many_at_once.py"), "normal", "2"]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes the command of an executor from its Python source."""

    def write(source: str) -> list[str]:
        path = tmp_path / "program.py"
        path.write_text("import json, os, sys, time\n" + textwrap.dedent(source))
        return [sys.executable, str(path)]

    return write


@pytest.fixture
def subject_of() -> Callable[..., TransportSubject]:
    """Makes a transport that was not started: of one process, unless told otherwise."""

    def make(cmd: list[str], **options: Any) -> TransportSubject:
        config = StdioConfig(cmd=cmd, **{"pool_size": 1, **options})
        return TransportSubject(lambda context: StdioTransport(config, context))

    return make


@pytest.fixture
def running(subject_of: Callable[..., TransportSubject]) -> Running:
    """Makes a started transport, which is stopped at the end."""

    @asynccontextmanager
    async def start(cmd: list[str], **options: Any) -> AsyncIterator[TransportSubject]:
        subject = subject_of(cmd, **options)
        async with asyncio.timeout(60):
            await subject.transport.start()
            try:
                yield subject
            finally:
                await subject.transport.stop(0)

    return start
