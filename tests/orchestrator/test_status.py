"""The status that a worker tells of itself, as `rrq check` shows it."""

from __future__ import annotations

from rrq.embedded import EmbeddedRedis
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


async def test_a_worker_shows_itself_as_soon_as_redis_is_back(server: EmbeddedRedis) -> None:
    settings = RRQSettings(redis_dsn=server.dsn)
    async with working(settings, python=SleeperConfig()) as (worker, client):
        redis = client.job_store.redis
        health = f"rrq:health:worker:{worker.worker_id}"
        await eventually(lambda: redis.exists(health))
        await eventually(lambda: worker._intake.is_idle)
        await redis.delete(health)

        await redis.client_kill_filter(_type="normal", skipme=True)

        # By itself it would beat once a minute.
        await eventually(lambda: redis.exists(health), within_seconds=10)
