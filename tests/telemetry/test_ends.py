"""What a worker and an executor still hold is sent at their end, whatever ends them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.places import Place, Running
from tests.support.places import place as place
from tests.support.processes import children_of
from tests.support.waiting import eventually_blocking

# Its folder has no name that an import statement could use.
receiver: Any = import_module("plugins.rrq-otel.tests.receiver")

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    def brew(ctx):
        return 1

    async def steep(ctx):
        if not Path("steeping").exists():
            Path("steeping").touch()
            await asyncio.sleep(60)

    registry = JobRegistry()
    registry.register("brew", brew)
    registry.register("steep", steep)
    settings = PythonExecutorSettings(job_registry=registry)
"""


@pytest.fixture
def collector() -> Iterator[Any]:
    """What OpenTelemetry sends to."""
    with receiver.http_receiver() as collector:
        yield collector


@pytest.fixture
def worker(place: Place, settings: RRQSettings, collector: Any) -> Running:
    """A worker that, by itself, sends nothing before a minute is up."""
    place.write("handlers.py", HANDLERS)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{settings.redis_dsn}"
        worker_shutdown_grace_period_seconds = 0.1
        plugins.disabled = ["ddtrace", "logfire", "prometheus"]

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        """,
    )
    return _started(place, collector)


def _started(place: Place, collector: Any) -> Running:
    later = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_METRIC_EXPORT_INTERVAL": "60000"}
    return place.start("rrq", "worker", "run", **collector.environment(**later))


def test_sigterm_to_a_worker_sends_what_it_and_its_executor_hold(
    worker: Running, settings: RRQSettings, collector: Any
) -> None:
    job_id = _brewed(settings)
    assert collector.spans == []

    worker.stop()

    names = [span.name for span in collector.spans if span.attributes["rrq.job_id"] == job_id]
    assert sorted(names) == ["rrq.executor", "rrq.job"]
    assert collector.metrics["rrq.jobs.finished"][-1].value == 1


def test_sigterm_to_an_executor_sends_what_it_holds(
    worker: Running, settings: RRQSettings, collector: Any
) -> None:
    job_id = _brewed(settings)
    [executor] = children_of(worker.process.pid)

    os.kill(executor, signal.SIGTERM)

    eventually_blocking(lambda: collector.of_job(job_id, "rrq.executor"), 10, "its span")
    assert collector.of_job(job_id, "rrq.job") == []
    worker.stop()


def test_a_job_that_a_stopping_worker_releases_is_told_of_and_linked_to_by_its_next_run(
    place: Place, worker: Running, settings: RRQSettings, collector: Any
) -> None:
    with SyncRRQClient(settings) as client:
        job = client.enqueue("steep")
        eventually_blocking((place.directory / "steeping").exists, 30, "the first run")
        worker.stop()
        next_worker = _started(place, collector)
        client.wait(job, timeout=30)
        next_worker.stop()

    released, done = collector.of_job(job.id, "rrq.job")
    assert [span.attributes["rrq.outcome"] for span in (released, done)] == ["released", "success"]
    assert (released.event_names, released.status) == (["rrq.release"], "UNSET")
    assert [span.attributes["rrq.attempt"] for span in (released, done)] == [1, 1]
    assert done.links == [released.span_id]
    assert done.trace_id == released.trace_id


def _brewed(settings: RRQSettings) -> str:
    """The id of a job that has ended."""
    with SyncRRQClient(settings) as client:
        job = client.enqueue("brew")
        assert client.wait(job, timeout=30) == 1
    return job.id
