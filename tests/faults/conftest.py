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
