"""What the shared worker runs, and jobs in every state for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rrq.client import RRQClient
from rrq.job import JobStatus
from rrq.settings import RRQSettings
from tests.support.places import Place
from tests.support.waiting import eventually

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    async def send_email(ctx, to):
        return to

    async def fail(ctx, number):
        raise ValueError(f"no such address {number}")

    async def render(ctx, gate):
        ctx.progress(3, 10, "page 3")
        while not Path(gate).exists():
            await asyncio.sleep(0.02)
        return "rendered"

    registry = JobRegistry()
    for handler in (send_email, fail, render):
        registry.register(handler.__name__, handler)
    settings = PythonExecutorSettings(job_registry=registry)
"""

CONFIGURATION = """
[rrq]
redis_dsn = "{dsn}"
worker_health_check_interval_seconds = 1
worker_shutdown_grace_period_seconds = 0

[rrq.executors.python]
type = "python"
settings = "handlers:settings"
pool_size = 1
max_in_flight = 8

[[rrq.cron_jobs]]
name = "nightly report"
function_name = "render"
schedule = "0 3 * * *"
queue_name = "slow"
"""

RUNNING = "job-that-runs"
FAILED = 3


@dataclass(frozen=True)
class Shop:
    """Where the worker lives, and how to reach its Redis."""

    place: Place
    settings: RRQSettings


def fill(shop: Shop) -> None:
    """Give the worker its jobs, and wait until each is in its state."""
    asyncio.run(_fill(shop.settings))


async def _fill(settings: RRQSettings) -> None:
    async with RRQClient(settings) as client:
        for number in range(5):
            await client.enqueue("send_email", f"{number}@example.org", _queue_name="mail")
        for number in range(FAILED):
            await client.enqueue("fail", number, _queue_name="mail", _max_retries=1)
        await client.enqueue("render", "never", _job_id=RUNNING, _queue_name="slow")
        await client.enqueue("send_email", "late", _queue_name="reports", _defer_by=7_290)
        store = client.job_store
        await eventually(lambda: _has_ended(client, 5 + FAILED))
        await eventually(lambda: store.redis.hget(f"rrq:job:{RUNNING}", "progress"))
        assert await store.get_job_status(RUNNING) is JobStatus.ACTIVE


async def _has_ended(client: RRQClient, count: int) -> bool:
    [totals] = (await client.job_store.statistics.totals("queue", ["mail"])).values()
    return totals["completed"] + totals["dead_lettered"] >= count
