from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rrq.debug.fake_jobs import write_fake_jobs
from rrq.settings import RRQSettings
from tests.store.driving import Driver


@pytest.fixture
async def driver(settings: RRQSettings) -> AsyncIterator[Driver]:
    """The atomic steps on the shared server, with healthy jobs in every state."""
    driver = Driver(settings)
    await write_fake_jobs(driver.store, count=12, queues=["default", "mail"])
    yield driver
    await driver.store.aclose()
