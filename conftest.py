"""The fixtures that the tests of the kernel and of every plugin in `plugins/` share."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.embedded import EmbeddedRedis
    from rrq.settings import RRQSettings

pytest_plugins = ["rrq.testing.fixtures"]

# The tests start hundreds of Python processes, which would compile RRQ and the tests each time...
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# ... and import Logfire, which offers itself to Pydantic wherever it is installed.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "logfire-plugin")

# Nothing that is collected goes away before the end: garbage is looked for beside it, afterwards.
gc.disable()

DEAREST_FIRST = (
    "tests/journeys/test_own_executor.py",
    "tests/cli/test_cold_start.py",
    "tests/faults/",
    "tests/cli/",
    "tests/journeys/",
    "plugins/",
    "tests/protocol/",
    "tests/examples/",
    "tests/security/",
)
"""What several processes take before the rest, so that none is left alone with a long file."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the dearest files come first where processes share them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_place_in_line)


def _place_in_line(item: pytest.Item) -> int:
    places = range(len(DEAREST_FIRST))
    return next((n for n in places if item.nodeid.startswith(DEAREST_FIRST[n])), len(places))


def pytest_collection_finish() -> None:
    """Look for garbage from now on, but not in what is collected."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def redis_server(rrq_redis_server: EmbeddedRedis) -> EmbeddedRedis:
    """The server that all tests of this process share. Do not stop it."""
    return rrq_redis_server


@pytest.fixture
def redis_dsn(rrq_redis_dsn: str) -> str:
    """The address of the shared server, emptied for this test."""
    return rrq_redis_dsn


@pytest.fixture
def settings(rrq_settings: RRQSettings) -> RRQSettings:
    """Settings with every default, on the shared server, emptied for this test."""
    return rrq_settings


@pytest.fixture
async def redis(redis_dsn: str) -> AsyncIterator[Redis]:
    """A client of the shared server, emptied for this test; its answers are bytes."""
    from redis.asyncio import Redis

    client = Redis.from_url(redis_dsn, decode_responses=False)
    yield client
    await client.aclose()


@pytest.fixture
def server(rrq_private_redis: EmbeddedRedis) -> EmbeddedRedis:
    """A server of this test's own that it may kill, freeze and restart; it keeps its data."""
    return rrq_private_redis
