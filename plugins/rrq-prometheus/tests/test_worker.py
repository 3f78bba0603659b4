"""A real worker is scraped and probed, as Prometheus and a container platform do it."""

from __future__ import annotations

import socket
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from rrq.embedded import EmbeddedRedis
from rrq.exc import JobFailed
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.places import Place, place
from tests.support.ports import free_port
from tests.support.waiting import eventually_blocking

from .scraping import address_of, ask, configure, samples

__all__ = ["place"]

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(address: str) -> Figures:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for sample in samples(address)
    }


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


def test_a_worker_tells_its_figures_and_whether_it_is_well(
    place: Place, redis: EmbeddedRedis
) -> None:
    configure(place, redis.dsn, "port = 0")
    worker = place.start("rrq", "worker", "run")
    address = address_of(worker)
    eventually_blocking(lambda: ask(f"{address}/readyz") == (200, "ok\n"), 20, "readiness")

    with SyncRRQClient(RRQSettings(redis_dsn=redis.dsn)) as client:
        for function in ("buy", "buy", "wobble"):
            client.wait(client.enqueue(function), timeout=20)
        overdue = client.enqueue("linger", _job_timeout_seconds=1)
        for job in (client.enqueue("spoil", _max_retries=1), overdue):
            with pytest.raises(JobFailed):
                client.wait(job, timeout=20)
        (place.directory / "lingering").unlink()
        unwanted = client.enqueue("linger")
        eventually_blocking((place.directory / "lingering").exists)
        client.cancel(unwanted)
        client.enqueue("buy", _defer_by=3600)

    def of(queue: str, function: str, **more: str) -> tuple[tuple[str, str], ...]:
        return tuple(sorted({"queue": queue, "function": function, **more}.items()))

    def counted(function: str, outcome: str) -> float | None:
        labels = of("default", function, outcome=outcome)
        return scraped(address).get(("rrq_attempts_total", labels))

    eventually_blocking(lambda: counted("linger", "cancelled") == 1, 10, "what was counted")
    figures = scraped(address)
    assert counted("buy", "success") == 2
    assert (counted("wobble", "retry"), counted("wobble", "success")) == (1, 1)
    assert (counted("spoil", "dlq"), counted("linger", "timeout")) == (1, 1)
    assert figures["rrq_job_run_seconds_count", of("default", "buy")] == 2
    assert figures["rrq_job_wait_seconds_count", of("default", "wobble")] == 2
    assert figures["rrq_worker_ready", ()] == 1
    assert figures["rrq_worker_capacity", ()] >= 1
    assert figures["rrq_executor_processes", (("executor", "python"),)] == 1

    def measured() -> bool:
        figures = scraped(address)
        queue = (("queue", "default"),)
        done = figures.get(("rrq_worker_jobs_total", (("outcome", "completed"),)))
        return (done, figures["rrq_queue_waiting", queue], figures["rrq_queue_due", queue]) == (
            3,
            1,
            0,
        )

    eventually_blocking(measured, 10, "the next measurement")
    assert list(openmetrics(ask(f"{address}/metrics", "application/openmetrics-text")[1]))
    assert ask(f"{address}/healthz") == (200, "ok\n")
    assert ask(f"{address}/other")[0] == 404

    redis.kill()
    eventually_blocking(
        lambda: ask(f"{address}/readyz") == (503, "Redis does not answer\n"), 20, "the loss"
    )
    assert ask(f"{address}/healthz")[0] == 200
    assert worker.stop().code == 0
    with pytest.raises(urllib.error.URLError):
        ask(f"{address}/healthz")


def test_an_address_that_was_chosen_and_is_in_use_is_an_error_at_the_start(
    place: Place, redis_dsn: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        configure(place, redis_dsn, f"port = {port}")
        ended = place.run("rrq", "worker", "run", code=2)

    assert f"[rrq.plugins.prometheus] cannot listen at 127.0.0.1:{port}" in ended.stderr
    assert "port = 0 takes a free one" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_none_is_an_error_in_the_configuration(place: Place, redis_dsn: str) -> None:
    configure(place, redis_dsn, "port = 70000")

    ended = place.run("rrq", "worker", "run", code=2)

    assert "[rrq.plugins.prometheus] port" in ended.stderr


def test_the_workers_of_a_machine_share_a_configuration_and_have_ports_of_their_own(
    place: Place, redis_dsn: str
) -> None:
    configure(place, redis_dsn, "port = 70")
    ports = [free_port(), free_port()]

    workers = [place.start("rrq", "worker", "run", RRQ_PROMETHEUS_PORT=str(port)) for port in ports]

    addresses = [address_of(worker) for worker in workers]
    assert addresses == [f"http://127.0.0.1:{port}" for port in ports]
    assert [ask(f"{address}/healthz")[0] for address in addresses] == [200, 200]
    said = [worker.stop().stderr for worker in workers]
    assert "RRQ_PROMETHEUS_PORT" not in "".join(said)


@pytest.mark.parametrize("port", ["http", "70000", "-1"])
def test_a_variable_that_names_no_port_is_an_error_at_the_start(
    place: Place, redis_dsn: str, port: str
) -> None:
    configure(place, redis_dsn, "")

    ended = place.run("rrq", "worker", "run", code=2, RRQ_PROMETHEUS_PORT=port)

    assert f"RRQ_PROMETHEUS_PORT is '{port}', expected a port from 0 to 65535" in ended.stderr
    assert "Traceback" not in ended.stderr
