"""Executors that do not wait for each other, with a real Redis and executors in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Raw
from pydantic import BaseModel

from rrq.client import RRQClient
from rrq.exc import ExecutorLost
from rrq.job_request import JobRequest
from rrq.orchestrator.worker import Worker
from rrq.plugins import load_plugins
from rrq.protocol import ExecutionOutcome, ExecutionRequest
from rrq.settings import ExecutorConfig, RRQSettings
from rrq.transport import Transport, TransportContext, TransportStatus


class SleeperConfig(BaseModel):
    slots: int = 1
    seconds: float = 0.0


class Sleeper(Transport):
    """Runs each request by waiting, in this process."""

    config_model = SleeperConfig

    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, context)
        assert isinstance(config, SleeperConfig)
        self.config = config
        self.most_at_once = 0
        self._running = 0
        self._stopped = asyncio.Event()

    @property
    def capacity(self) -> int:
        return self.config.slots

    async def start(self) -> None:
        return None

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            async with asyncio.timeout(self.config.seconds):
                await self._stopped.wait()
            raise ExecutorLost("stopped", penalty=False)
        except TimeoutError:
            pass
        finally:
            self._running -= 1
        return ExecutionOutcome(job_id=request.job_id, status="success", result=Raw(b"1"))

    async def stop(self, grace_seconds: float) -> None:
        self._stopped.set()

    def describe(self) -> TransportStatus:
        return TransportStatus(processes=1, in_flight=self._running, capacity=self.capacity)


@asynccontextmanager
async def working(
    settings: RRQSettings, queues: tuple[str, ...] = (), **executors: SleeperConfig
) -> AsyncIterator[tuple[Worker, RRQClient]]:
    """A worker whose executors are sleepers of these kinds."""
    plugins = load_plugins(only_builtin=True)
    plugins.transports()
    plugins._transports = {"sleeper": Sleeper}
    configured = settings.model_copy(
        update={
            "executors": {
                name: ExecutorConfig(type="sleeper", **config.model_dump())
                for name, config in executors.items()
            },
            "default_executor_name": next(iter(executors)),
            "worker_shutdown_grace_period_seconds": 0,
        }
    )
    worker = Worker(configured, plugins, queues=queues)
    running = asyncio.create_task(worker.run())
    async with RRQClient(configured) as client:
        yield worker, client
    worker.stop_now()
    await running


async def ended(client: RRQClient, job: Any) -> float:
    """When a job ended, by Redis' clock."""
    await client.wait(job, timeout=20)
    found = await client.get_job(job.id)
    assert found is not None
    assert found.completion_time is not None
    return found.completion_time.timestamp()


async def test_a_fast_executors_job_overtakes_hundreds_for_a_slow_one(
    settings: RRQSettings,
) -> None:
    slow, fast = SleeperConfig(slots=1, seconds=30), SleeperConfig(slots=4)
    async with working(settings, slow=slow, fast=fast) as (_, client):
        await client.enqueue_many(JobRequest("slow#work") for _ in range(400))
        job = await client.enqueue("fast#work")
        assert job is not None
        assert await ended(client, job) - job.enqueue_time.timestamp() < 2


async def test_a_slow_executor_stays_busy_while_jobs_for_it_are_turned_away(
    settings: RRQSettings,
) -> None:
    slow, fast = SleeperConfig(slots=1, seconds=0.2), SleeperConfig(slots=4)
    async with working(settings, slow=slow, fast=fast) as (worker, client):
        jobs = await client.enqueue_many(JobRequest("slow#work") for _ in range(12))
        ends = [await ended(client, job) for job in jobs if job]
        gaps = [
            later - earlier for earlier, later in zip(sorted(ends), sorted(ends)[1:], strict=False)
        ]
        assert max(gaps) < 0.45, "a free slot waited for a job that was in the queue"
        assert worker.lanes["slow"].transport.most_at_once == 1  # type: ignore[attr-defined]


async def test_the_first_queue_is_served_before_the_second(settings: RRQSettings) -> None:
    one = SleeperConfig(slots=1, seconds=0.02)
    async with RRQClient(settings) as producer:
        low = await producer.enqueue_many(JobRequest("work", queue_name="b") for _ in range(10))
        high = await producer.enqueue_many(JobRequest("work", queue_name="a") for _ in range(10))
        async with working(settings, ("a", "b"), python=one) as (_, client):
            low_ends = [await ended(client, job) for job in low if job]
            high_ends = [await ended(client, job) for job in high if job]
    assert max(high_ends) <= min(low_ends)
