"""`rrq job active` beside a real worker with two executors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.settings import RRQSettings
from tests.support.places import Place
from tests.support.waiting import eventually

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    async def pass_gate(ctx):
        ctx.progress(3, 10, "third page")
        while not Path("gate").exists():
            await asyncio.sleep(0.01)

    registry = JobRegistry()
    registry.register("pass_gate", pass_gate)
    settings = PythonExecutorSettings(job_registry=registry)
"""

CONFIGURATION = """
    [rrq]
    redis_dsn = "{dsn}"

    [rrq.routing]
    mail = "second"

    [rrq.executors.python]
    type = "python"
    settings = "handlers:settings"
    pool_size = 1

    [rrq.executors.second]
    type = "python"
    settings = "handlers:settings"
    pool_size = 1
"""


@pytest.fixture
def shop(place: Place, settings: RRQSettings) -> Place:
    """A place with handlers and a worker's configuration."""
    place.write("handlers.py", HANDLERS)
    place.write("rrq.toml", CONFIGURATION.format(dsn=settings.redis_dsn))
    return place


async def test_running_jobs_are_listed_with_their_executors_progress_and_times(
    shop: Place, client: RRQClient, redis: Redis
) -> None:
    worker = shop.start("rrq", "worker", "run", "--queue", "default", "--queue", "mail")
    worker_id = worker.said("Redis ").split("Worker ")[1].split(":")[0]
    await client.enqueue("pass_gate", _job_id="first")
    await client.enqueue(
        "pass_gate", _job_id="second", _queue_name="mail", _max_retries=2, _job_timeout_seconds=120
    )
    for job_id in ("first", "second"):
        await eventually(lambda key=f"rrq:job:{job_id}": redis.hget(key, "progress"), 20, job_id)  # type: ignore[misc]
    await eventually(lambda: redis.exists(f"rrq:health:worker:{worker_id}"), 20, "a heartbeat")

    listed = shop.run("rrq", "job", "active")
    mail = shop.run("rrq", "job", "active", "--queue", "mail", "--worker", worker_id, "--json")
    cut = shop.run("rrq", "job", "active", "--limit", "1", "--max-scan", "1")
    (shop.directory / "gate").touch()
    worker.stop()

    heading, *rows = (line.split("\t") for line in listed.stdout.splitlines())
    assert heading[:8] == [
        "id",
        "function",
        "queue",
        "worker",
        "executor",
        "started",
        "attempt",
        "deadline",
    ]
    told = {row[0]: row for row in rows}
    assert told["first"][1:5] == ["pass_gate", "default", worker_id, "python"]
    assert told["second"][2:5] == ["mail", worker_id, "second"]
    assert [told[job_id][6] for job_id in ("first", "second")] == ["1 of 5", "1 of 2"]
    assert {row[8] for row in rows} == {"3 of 10, third page"}
    assert listed.stderr == ""

    [second] = json.loads(mail.stdout)
    started = datetime.fromisoformat(second["started"])
    assert abs(datetime.now(UTC) - started) < timedelta(seconds=60)
    assert datetime.fromisoformat(second["deadline"]) - started == timedelta(seconds=120)
    assert datetime.fromisoformat(second["lease_until"]) > started
    assert second["progress"] == {"current": 3, "total": 10, "message": "third page"}
    assert (second["id"], second["attempt"], second["max_attempts"]) == ("second", 1, 2)
    assert second["cancel_requested"] is None

    assert len(cut.stdout.splitlines()) == 2
    assert cut.stderr == "Looked at 1 of 2 running jobs; --max-scan 0 looks at all.\n"


async def test_without_a_running_job_that_is_said(shop: Place) -> None:
    assert shop.run("rrq", "job", "active").stderr == "No job that runs fits.\n"
    assert shop.run("rrq", "job", "active", "--json").stdout == "[]\n"
