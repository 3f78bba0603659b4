"""Executors that do not wait for each other, with a real Redis."""

from __future__ import annotations

from typing import Any

from rrq.client import RRQClient
from rrq.job_request import JobRequest
from rrq.settings import RRQSettings
from tests.orchestrator.sleepers import SleeperConfig, working


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


async def test_long_jobs_are_claimed_one_by_one_and_none_goes_back(settings: RRQSettings) -> None:
    async with working(settings, python=SleeperConfig(slots=1, seconds=0.15)) as (_, client):
        jobs = await client.enqueue_many(JobRequest("work") for _ in range(4))
        for job in jobs:
            await client.wait(job, timeout=20)
        store = client.job_store
        assert int(await store.redis.get(store.keys.lease_token)) == len(jobs)


async def test_the_first_queue_is_served_before_the_second(settings: RRQSettings) -> None:
    # So long that no job is read ahead, which on a busy machine would go back and be overtaken.
    one = SleeperConfig(slots=1, seconds=0.06)
    async with RRQClient(settings) as producer:
        low = await producer.enqueue_many(JobRequest("work", queue_name="b") for _ in range(5))
        high = await producer.enqueue_many(JobRequest("work", queue_name="a") for _ in range(5))
        async with working(settings, ("a", "b"), python=one) as (_, client):
            low_ends = [await ended(client, job) for job in low if job]
            high_ends = [await ended(client, job) for job in high if job]
    assert max(high_ends) < min(low_ends)
