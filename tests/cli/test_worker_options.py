"""The options of `rrq worker run` and `rrq worker watch` that change how a worker runs."""

from __future__ import annotations

import json
import signal

import pytest
from redis import Redis

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.places import Place
from tests.support.shops import furnish
from tests.support.waiting import eventually_blocking

HANDLERS = """
    from rrq import JobRegistry, PythonExecutorSettings

    async def answer(ctx):
        return "here"

    registry = JobRegistry()
    registry.register("answer", answer)
    settings = PythonExecutorSettings(job_registry=registry)
"""


@pytest.fixture
def shop(place: Place, settings: RRQSettings) -> Place:
    """A place with one handler, and a configuration with three processes."""
    return furnish(place, settings.redis_dsn, HANDLERS, pool_size=3)


def processes(keys: Redis) -> int | None:
    """How many processes of the executor the one worker tells of; None before it does."""
    for key in keys.scan_iter("rrq:health:worker:*"):
        executors = json.loads(keys.get(key) or "{}").get("executors", {})
        return int(executors["python"]["processes"]) if executors else None
    return None


def test_the_pool_size_given_prevails_and_successes_are_logged_when_asked_for(
    shop: Place, settings: RRQSettings, keys: Redis
) -> None:
    with SyncRRQClient(settings) as client:
        job = client.enqueue("answer")
    assert job is not None
    worker = shop.start("rrq", "worker", "run", "--pool-size", "2", "--log-successes")

    said = worker.said(f"Job {job.id} completed")
    eventually_blocking(lambda: processes(keys) is not None, 10, "a heartbeat")
    shown = processes(keys)

    assert worker.stop().code == 0
    assert f"INFO    rrq.worker: Job {job.id} completed" in said
    assert shown == 2


def test_a_worker_that_can_claim_nothing_ends_when_it_was_told_to(
    shop: Place, server: EmbeddedRedis
) -> None:
    worker = shop.start(
        *("rrq", "worker", "run", "--exit-when-stuck", "1", "--redis-dsn", server.dsn)
    )
    with Redis.from_url(server.dsn, decode_responses=True) as client:
        eventually_blocking(lambda: processes(client) is not None, 20, "a heartbeat")

    server.kill()

    ended = worker.wait(20)
    *_, last = ended.stderr.splitlines()
    assert ended.code == 1
    assert last.startswith("error: This worker could claim no job for ")
    assert last.endswith("it ends, as --exit-when-stuck says")
    assert "Traceback" not in ended.stderr


def test_only_files_of_the_pattern_given_restart_a_worker(shop: Place) -> None:
    watching = shop.start("rrq", "worker", "watch", "--pattern", "*.sql", "--pattern", "*.yaml")
    watching.said("Worker rrq_worker_")

    shop.write("handlers.py", HANDLERS + "\n")
    shop.write("sizes.yaml", "a: 1\n")
    watching.said("Changed: sizes.yaml")
    shop.write("orders.sql", "select 1\n")
    watching.said("Changed: orders.sql")

    ended = watching.stop(signal.SIGINT)
    assert ended.code == 0
    assert "handlers.py" not in ended.stderr
