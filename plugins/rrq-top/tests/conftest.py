"""A shop with a real worker, which all tests of this plugin share, and eyes on the screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from tests.support.distributions import rrq_command
from tests.support.places import Place

from .shop import CONFIGURATION, HANDLERS, Shop, fill


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A worker with work: jobs that run, wait, have ended and have failed."""
    directory = tmp_path_factory.mktemp("shop")
    with EmbeddedRedis() as server:
        place = Place(directory, rrq_command().parent)
        place.write("handlers.py", HANDLERS)
        place.write("rrq.toml", CONFIGURATION.format(dsn=server.dsn))
        lent = place.lend()
        next(lent)
        settings = RRQSettings(redis_dsn=server.dsn)
        worker = place.start("rrq", "worker", "run", "--queue", "mail", "--queue", "slow")
        worker.said("Redis ")
        shop = Shop(place, settings)
        fill(shop)
        yield shop
        worker.stop()
        # It fails here if anything outlives the worker.
        next(lent, None)
