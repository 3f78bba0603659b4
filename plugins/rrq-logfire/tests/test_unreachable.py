"""Workers whose Logfire or whose collector takes nothing: jobs and the end do not notice."""

from __future__ import annotations

import re
import signal
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.distributions import rrq_command
from tests.support.places import Ended, Place
from tests.support.ports import free_port

HANDLERS = """
    from rrq import JobRegistry, PythonExecutorSettings

    def brew(ctx):
        return 1

    registry = JobRegistry()
    registry.register("brew", brew)
    settings = PythonExecutorSettings(job_registry=registry)
"""

LOGFIRE, COLLECTOR, HANGING = "logfire", "collector", "hanging"


@dataclass(frozen=True)
class Untaken:
    """What became of a worker's jobs, and of itself.

    Attributes:
        run_seconds: the longest that one of them ran.
    """

    url: str
    results: list[Any]
    run_seconds: float
    worker: Ended


@pytest.fixture(scope="module")
def workers(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Untaken]:
    """With a Logfire that is down, one that never answers, and a collector that is down."""
    rrq_redis_server.flush()
    dsn = rrq_redis_server.dsn
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as places:
        ports = {LOGFIRE: free_port(), COLLECTOR: free_port(), HANGING: silent.getsockname()[1]}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        started = {}
        for name, url in urls.items():
            place = Place(tmp_path_factory.mktemp(name), rrq_command().parent)
            places.enter_context(contextmanager(place.lend)())
            _write(place, dsn)
            to_logfire = {"LOGFIRE_TOKEN": "a-token", "LOGFIRE_BASE_URL": url}
            to_collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": url}
            variables = to_collector if name == COLLECTOR else to_logfire
            started[name] = place.start("rrq", "worker", "run", "--queue", name, **variables)
        with SyncRRQClient(RRQSettings(redis_dsn=dsn)) as client:
            jobs = {
                name: [client.enqueue("brew", _queue_name=name) for _ in range(5)] for name in urls
            }
            results = {
                name: [client.wait(job, timeout=60) for job in of_worker]
                for name, of_worker in jobs.items()
            }
            ended = {
                name: [client.get_job(job.id) for job in of_worker]
                for name, of_worker in jobs.items()
            }
        for name in (LOGFIRE, COLLECTOR):
            started[name].said("takes no spans")
        for worker in started.values():
            worker.tell(signal.SIGTERM)
        return {
            name: Untaken(
                urls[name],
                results[name],
                max(_run_seconds(job) for job in ended[name]),
                worker.wait(),
            )
            for name, worker in started.items()
        }


def _run_seconds(job: Any) -> float:
    seconds: float = (job.completion_time - job.start_time).total_seconds()
    return seconds


@pytest.mark.parametrize("name", [LOGFIRE, COLLECTOR, HANGING])
def test_neither_jobs_nor_the_end_wait_for_what_takes_no_spans(
    workers: dict[str, Untaken], name: str
) -> None:
    assert workers[name].results == [1] * 5
    assert workers[name].run_seconds < 2
    assert workers[name].worker.code == 0


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        (LOGFIRE, "LOGFIRE_BASE_URL says where it is"),
        (COLLECTOR, "OTEL_EXPORTER_OTLP_ENDPOINT says where it is"),
    ],
)
def test_each_process_tells_of_it_in_one_line_with_the_address_and_what_to_do(
    workers: dict[str, Untaken], name: str, remedy: str
) -> None:
    lines = workers[name].worker.stderr.splitlines()

    told = [line for line in lines if "takes no spans" in line]
    of_executor = [line for line in told if "rrq.executor" in line]
    assert len(told) - len(of_executor) == 1
    assert len(of_executor) <= 1
    for line in told:
        assert workers[name].url in line
        assert remedy in line


@pytest.mark.parametrize("name", [LOGFIRE, COLLECTOR, HANGING])
def test_no_traceback_and_no_line_out_of_the_log_is_printed(
    workers: dict[str, Untaken], name: str
) -> None:
    said = workers[name].worker.stderr
    headings = ("Configuration:", "Worker ")

    assert "Traceback" not in said
    assert [
        line
        for line in said.splitlines()
        if not re.match(r"\d\d:\d\d:\d\d ", line) and not line.startswith(headings)
    ] == []


def _write(place: Place, dsn: str) -> None:
    place.write("handlers.py", HANDLERS)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{dsn}"
        plugins.disabled = ["otel", "ddtrace", "prometheus"]

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        """,
    )
