"""The status that a worker tells of itself, as `rrq check` shows it."""

from __future__ import annotations

from rrq.settings import RRQSettings
from tests.orchestrator.sleepers import SleeperConfig, working
from tests.support.waiting import eventually


async def test_a_worker_is_idle_for_want_of_jobs_only_while_it_runs_none(
    settings: RRQSettings,
) -> None:
    async with working(settings, python=SleeperConfig(slots=2, seconds=30)) as (worker, client):
        await eventually(lambda: worker._intake.is_idle)
        assert worker._measure()["status"] == "idle (no jobs)"

        await client.enqueue("work")
        await eventually(lambda: worker._dispatch.running_count == 1 and worker._intake.is_idle)
        assert worker._measure()["status"] == "polling"

        await client.enqueue("work")
        await eventually(lambda: worker._dispatch.running_count == 2)
        assert worker._measure()["status"] == "idle (concurrency limit)"
