from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rrq.settings import RRQSettings
from tests.store.driving import Driver


@pytest.fixture
async def driver(settings: RRQSettings) -> AsyncIterator[Driver]:
    """The atomic steps on the shared server, emptied for this test."""
    driver = Driver(settings)
    yield driver
    await driver.store.aclose()
