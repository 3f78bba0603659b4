from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.faults.invariants")

from tests.faults.rig import Rig, fault_server  # noqa: E402


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A server of this test's own with a journal, a ledger, and no worker yet."""
    with fault_server() as server:
        async with Rig(server, tmp_path) as rig:
            yield rig
            # Shown by pytest if the test failed.
            for worker in rig.workers:
                print(f"--- {worker.log.name}", *worker.lines()[-60:], sep="\n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the soak out, unless it is asked for with `-m soak`."""
    if "soak" in config.option.markexpr:
        return
    soaks = [item for item in items if item.get_closest_marker("soak")]
    if soaks:
        items[:] = [item for item in items if item not in soaks]
        config.hook.pytest_deselected(items=soaks)
