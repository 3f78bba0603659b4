import asyncio

import pytest

from rrq.embedded import EmbeddedRedis
from rrq.exc import WorkerStuck
from rrq.orchestrator import mailbox, watchdog
from rrq.settings import RRQSettings
from tests.orchestrator.sleepers import SleeperConfig, a_worker, working
from tests.support.waiting import eventually


async def test_an_idle_worker_is_not_stuck(settings: RRQSettings) -> None:
    async with working(settings, python=SleeperConfig()) as (worker, _):
        await eventually(lambda: worker._intake.is_idle)
        assert worker._intake.seconds_without_claim < 6


async def test_a_worker_whose_executors_are_full_is_not_stuck(settings: RRQSettings) -> None:
    async with working(settings, python=SleeperConfig(slots=1, seconds=30)) as (worker, client):
        await client.enqueue("work")
        await eventually(lambda: worker._dispatch.running_count == 1)
        await asyncio.sleep(0.2)
        assert worker._intake.seconds_without_claim < 0.2


async def test_a_worker_that_redis_refuses_says_that_it_is_stuck_until_it_claims_again(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "STUCK_SECONDS", 1.0)
    monkeypatch.setattr(mailbox, "WAIT_SECONDS", 0.2)
    settings = RRQSettings(redis_dsn=server.dsn)
    async with working(settings, python=SleeperConfig()) as (worker, client):
        await eventually(lambda: worker._intake.is_idle)
        await client.job_store.redis.config_set("maxmemory", "1")
        await eventually(lambda: "stuck (" in str(worker._measure()["status"]), within_seconds=15)
        assert "maxmemory" in str(worker._measure()["status"])
        await client.job_store.redis.config_set("maxmemory", "0")
        await eventually(lambda: "stuck" not in str(worker._measure()["status"]), within_seconds=15)


async def test_a_worker_that_is_told_to_ends_when_it_is_stuck(server: EmbeddedRedis) -> None:
    settings = RRQSettings(redis_dsn=server.dsn)
    worker = a_worker(settings, exit_when_stuck_seconds=1.0, python=SleeperConfig())
    running = asyncio.create_task(worker.run())
    await eventually(lambda: worker._intake.is_idle)

    server.kill()

    with pytest.raises(WorkerStuck, match="could claim no job for"):
        await asyncio.wait_for(running, 15)
