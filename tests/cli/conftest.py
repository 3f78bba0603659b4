"""The command `rrq`, in this process and in others, and both sides of the queue around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis import Redis

from rrq.cli.main import run
from rrq.client import RRQClient
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.commands import Rrq, Said
from tests.support.configuration import leave_all_configuration
from tests.support.distributions import site as site
from tests.support.places import Place
from tests.support.places import place as place
from tests.support.shops import furnish


@pytest.fixture
def rrq(
    redis_dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Rrq:
    """The command, run in this process with this test's Redis configured."""
    leave_all_configuration(tmp_path, monkeypatch)
    monkeypatch.setenv("RRQ_REDIS_DSN", redis_dsn)

    def said(*words: str) -> Said:
        code = run(words)
        output = capsys.readouterr()
        return code, output.out, output.err

    return said


@pytest.fixture
def shop(place: Place, settings: RRQSettings, request: pytest.FixtureRequest) -> Place:
    """A place with the `HANDLERS` of the test's module and a worker's configuration."""
    return furnish(place, settings.redis_dsn, request.module.HANDLERS)


@pytest.fixture
async def client(settings: RRQSettings) -> AsyncIterator[RRQClient]:
    """A producer on the same server."""
    async with RRQClient(settings) as client:
        yield client


@pytest.fixture
def producer(settings: RRQSettings) -> Iterator[SyncRRQClient]:
    """A producer on the same server, which blocks."""
    with SyncRRQClient(settings) as client:
        yield client


@pytest.fixture
def keys(redis_dsn: str) -> Iterator[Redis]:
    """A plain client of the same server, which blocks; its answers are text."""
    with Redis.from_url(redis_dsn, decode_responses=True) as client:
        yield client
