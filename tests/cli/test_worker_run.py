"""`rrq worker run` as an operator meets it: what it says, what it runs, and how it stops."""

from __future__ import annotations

import json
import re
import signal
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.job import Job, JobStatus
from rrq.settings import RRQSettings
from tests.support.places import Place
from tests.support.shops import furnish
from tests.support.waiting import eventually

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    async def echo(ctx, word):
        return word

    async def nap(ctx):
        # So long that the worker reads no job ahead, which it would put back on a busy machine.
        await asyncio.sleep(0.06)

    async def fail(ctx):
        raise ValueError("out of stock")

    async def pass_gate(ctx):
        Path("inside").touch()
        while not Path("gate").exists():
            await asyncio.sleep(0.01)
        return "passed"

    registry = JobRegistry()
    for handler in (echo, nap, fail, pass_gate):
        registry.register(handler.__name__, handler)
    settings = PythonExecutorSettings(job_registry=registry)
"""

FAULTS = ("Traceback", "Task was destroyed", "never retrieved", "ResourceWarning", "never awaited")
"""What a sound worker never prints, even when Python is told to complain about everything."""


@pytest.fixture
def shop(place: Place, settings: RRQSettings) -> Place:
    """A place with handlers and a worker's configuration."""
    return furnish(
        place,
        settings.redis_dsn,
        HANDLERS,
        settings="worker_shutdown_grace_period_seconds = 60",
        executor="max_in_flight = 1",
    )


async def enqueued(client: RRQClient, *arguments: object, **options: object) -> str:
    """The id of a new job."""
    job = await client.enqueue(*arguments, **options)  # type: ignore[arg-type]
    assert job is not None
    return job.id


async def found(client: RRQClient, job_id: str) -> Job:
    """The job, which must be there."""
    job = await client.get_job(job_id)
    assert job is not None
    return job


async def inside(shop: Place) -> None:
    """Return when a job stands at the gate."""
    await eventually((shop.directory / "inside").exists, 20, "a job at the gate")


# -- what it says -----------------------------------------------------------------------


def test_the_announcement_says_which_configuration_and_what_it_makes_the_worker_do(
    shop: Place, settings: RRQSettings
) -> None:
    ended = shop.run("rrq", "worker", "run", "--burst", "--queue", "urgent", "--queue", "mail")

    # What plugins log comes after.
    first, second, *_ = ended.stderr.splitlines()
    assert first == "Configuration: rrq.toml (./rrq.toml)"
    assert re.fullmatch(
        r"Worker rrq_worker_[0-9a-f]{32}: queues urgent, mail; executors python; "
        r"plugins (\w+, )*python(, \w+)*, stdio(, \w+)*; Redis /\S+/redis\.sock",
        second,
    )
    assert ended.stdout == ""


async def test_in_a_json_log_every_line_parses(shop: Place, client: RRQClient) -> None:
    await enqueued(client, "echo", "word")
    await enqueued(client, "fail", _max_retries=1)

    ended = shop.run(
        "rrq", "worker", "run", "--burst", "--log-format", "json", "--log-level", "debug"
    )

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    said = [(line["level"], line["message"]) for line in lines if line["logger"] == "rrq.worker"]
    assert ("info", "Configuration: rrq.toml (./rrq.toml)") in said
    assert any(level == "debug" and text.endswith(" completed") for level, text in said)
    assert any(level == "warning" and "out of stock" in text for level, text in said)


async def test_python_has_nothing_to_complain_about(shop: Place, client: RRQClient) -> None:
    job_id = await enqueued(client, "pass_gate")
    worker = shop.start("rrq", "worker", "run", PYTHONDEVMODE="1")
    await inside(shop)
    worker.tell(signal.SIGTERM)
    worker.said("Stopping: 1 job is still running")
    shop.write("gate", "")

    ended = worker.wait()

    assert ended.code == 0
    assert (await found(client, job_id)).status is JobStatus.COMPLETED
    assert [line for line in ended.stderr.splitlines() if any(one in line for one in FAULTS)] == []


# -- what it runs -----------------------------------------------------------------------


async def test_a_burst_ends_when_all_that_is_due_is_done_and_leaves_what_is_not(
    shop: Place, client: RRQClient
) -> None:
    due = [await enqueued(client, "echo", str(number)) for number in range(20)]
    hopeless = await enqueued(client, "fail", _max_retries=1)
    retried = await enqueued(client, "fail", _max_retries=2)
    deferred = await enqueued(client, "echo", "later", _defer_by=timedelta(hours=1))

    shop.run("rrq", "worker", "run", "--burst", code=0)

    assert [(await found(client, job_id)).result for job_id in due] == list(map(str, range(20)))
    assert (await found(client, hopeless)).status is JobStatus.FAILED
    assert (await found(client, retried)).status is JobStatus.RETRYING
    assert (await found(client, deferred)).status is JobStatus.PENDING
    assert await client.job_store.is_job_queued("default", deferred)


async def test_queues_are_served_in_the_order_given(shop: Place, client: RRQClient) -> None:
    low = [await enqueued(client, "nap", _queue_name="low") for _ in range(5)]
    high = [await enqueued(client, "nap", _queue_name="high") for _ in range(5)]

    shop.run("rrq", "worker", "run", "--burst", "--queue", "high", "--queue", "low")

    jobs = [await found(client, job_id) for job_id in low + high]
    jobs.sort(key=lambda job: job.completion_time or job.enqueue_time)
    assert [job.queue_name for job in jobs] == ["high"] * 5 + ["low"] * 5


async def test_a_queue_that_was_not_asked_for_is_left_alone(shop: Place, client: RRQClient) -> None:
    asked = await enqueued(client, "echo", "x", _queue_name="mail")
    other = await enqueued(client, "echo", "x")

    shop.run("rrq", "worker", "run", "--burst", "--queue", "rrq:queue:mail")

    assert (await found(client, asked)).status is JobStatus.COMPLETED
    assert (await found(client, other)).status is JobStatus.PENDING


# -- how it stops -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_running_job_end_and_claims_no_other(
    shop: Place, client: RRQClient, number: signal.Signals
) -> None:
    running = await enqueued(client, "pass_gate")
    worker = shop.start("rrq", "worker", "run")
    await inside(shop)
    waiting = await enqueued(client, "echo", "x")

    worker.tell(number)
    worker.said("Stopping: 1 job is still running")
    shop.write("gate", "")

    assert worker.wait().code == 0
    assert (await found(client, running)).result == "passed"
    assert (await found(client, waiting)).status is JobStatus.PENDING


async def test_a_second_signal_gives_the_running_job_back_without_a_penalty(
    shop: Place, client: RRQClient
) -> None:
    job_id = await enqueued(client, "pass_gate")
    worker = shop.start("rrq", "worker", "run")
    await inside(shop)
    worker.tell(signal.SIGINT)
    worker.said("Stopping: 1 job is still running")

    worker.tell(signal.SIGINT)

    assert worker.wait(within_seconds=10).code == 0
    await assert_is_back(client, job_id)


async def test_a_job_that_outlasts_the_grace_period_is_given_back_without_a_penalty(
    shop: Place, client: RRQClient
) -> None:
    job_id = await enqueued(client, "pass_gate")
    worker = shop.start("rrq", "worker", "run", RRQ_WORKER_SHUTDOWN_GRACE_PERIOD_SECONDS="0.1")
    await inside(shop)

    worker.tell(signal.SIGTERM)

    assert worker.wait(within_seconds=10).code == 0
    await assert_is_back(client, job_id)


async def assert_is_back(client: RRQClient, job_id: str) -> None:
    job = await found(client, job_id)
    assert (job.status, job.current_retries, job.lost_count) == (JobStatus.PENDING, 0, 0)
    assert await client.job_store.is_job_queued("default", job_id)


async def test_nothing_in_redis_tells_of_a_worker_that_was_stopped(
    shop: Place, client: RRQClient, redis: Redis
) -> None:
    # Beats as fast as it can, so that one after its farewell would be seen.
    worker = shop.start("rrq", "worker", "run", RRQ_WORKER_HEALTH_CHECK_INTERVAL_SECONDS="0.001")
    await eventually(lambda: redis.zcard("rrq:idle:default"), 20, "a parked worker")
    await eventually(lambda: redis.zcard("rrq:workers"), 20, "a heartbeat")
    assert await redis.keys("rrq:health:worker:*")

    assert worker.stop().code == 0

    assert await redis.keys("*worker*") == []
    assert await redis.keys("rrq:mailbox:*") == []
    assert await redis.keys("rrq:idle:*") == []
    assert await redis.zcard("rrq:leases") == 0
