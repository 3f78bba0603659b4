"""What a killed Redis takes with it, by how it keeps its journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from tests.faults.rig import Rig, fault_server
from tests.support.waiting import eventually


@pytest.fixture
async def rig_of_every_second(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose server writes its journal to the disk once a second."""
    with fault_server(["--appendfsync", "everysec"]) as server:
        async with Rig(server, tmp_path) as rig:
            yield rig


async def _enqueue_until_the_server_dies(rig: Rig) -> list[str]:
    """Enqueue while the server is killed; the ids that it acknowledged."""
    acknowledged: list[str] = []
    try:
        while len(acknowledged) < 5000:
            acknowledged.append(await rig.enqueue("quick"))
            if len(acknowledged) == 300:
                rig.server.kill()
    except (RedisError, OSError):
        pass
    assert 300 <= len(acknowledged) < 5000
    return acknowledged


async def test_a_server_that_writes_always_loses_nothing_that_it_acknowledged(rig: Rig) -> None:
    acknowledged = await _enqueue_until_the_server_dies(rig)
    await rig.in_thread(rig.server.start)
    assert "lost" not in (await rig.statuses(acknowledged)).values()
    await rig.worker()
    await rig.all_ended(acknowledged, 20)


async def test_a_server_that_writes_every_second_loses_whole_jobs_or_none(
    rig_of_every_second: Rig,
) -> None:
    rig = rig_of_every_second
    await rig.worker()
    acknowledged = await _enqueue_until_the_server_dies(rig)
    await rig.in_thread(rig.server.start)

    kept = [job_id for job_id, s in (await rig.statuses(acknowledged)).items() if s != "lost"]
    await rig.all_ended(kept, 20)

    # What was lost left no trace, neither in a queue nor among the leases; the rest is whole.
    keys = rig.client.job_store.keys

    async def is_empty() -> bool:
        waiting = await rig.redis("ZCARD", keys.queue("default"))
        return waiting + await rig.redis("ZCARD", keys.leases) == 0

    await eventually(is_empty, 10, "the end of all jobs")
    assert rig.journal().violations == []
