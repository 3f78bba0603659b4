"""Workers whose agent takes no traces: it hangs, or there is none."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.distributions import rrq_command
from tests.support.places import Ended, Place
from tests.support.ports import free_port
from tests.support.waiting import eventually_blocking

STOPS_WITHIN_SECONDS = 12.0

QUIET = {
    "DD_SERVICE": "brewery",
    "RRQ_DISABLED_PLUGINS": "prometheus,logfire,otel",
    # What `ddtrace-run` would do beside, at the cost of time.
    "DD_PATCH_MODULES": "redis:false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
}

HANDLERS = """
    import os
    import signal
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    def brew(ctx):
        return 1

    def vanish(ctx):
        if not Path("vanished").exists():
            Path("vanished").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2

    registry = JobRegistry()
    registry.register("brew", brew)
    registry.register("vanish", vanish)
    settings = PythonExecutorSettings(job_registry=registry)
"""

HANGING, DDTRACE_RUN, MISSING = "hanging", "ddtrace-run", "missing"


@dataclass(frozen=True)
class Untaken:
    """A worker whose agent takes no traces: what became of its jobs, and of itself.

    Attributes:
        seconds: how long it took at most until its last job was done, which ends its executor
            first.
    """

    url: str
    results: list[Any]
    seconds: float
    worker: Ended


@pytest.fixture(scope="module")
def workers(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Untaken]:
    """With an agent that hangs, by itself and under `ddtrace-run`, and with none: at once, as each
    mostly waits."""
    rrq_redis_server.flush()
    dsn = rrq_redis_server.dsn
    with ExitStack() as stack:
        agents = {name: stack.enter_context(_silent_agent()) for name in (HANGING, DDTRACE_RUN)}
        urls = {name: agent.url for name, agent in agents.items()}
        urls[MISSING] = f"http://127.0.0.1:{free_port()}"
        started = {}
        for name, url in urls.items():
            place = Place(tmp_path_factory.mktemp(name), rrq_command().parent)
            stack.enter_context(contextmanager(place.lend)())
            _write(place, dsn)
            started[name] = place.start(
                *(["ddtrace-run"] if name == DDTRACE_RUN else []),
                *("rrq", "worker", "run", "--queue", name),
                DD_TRACE_AGENT_URL=url,
                **QUIET,
            )
        with SyncRRQClient(RRQSettings(redis_dsn=dsn)) as client:
            results = {
                name: [client.wait(client.enqueue("brew", _queue_name=name), timeout=60)]
                for name in urls
            }
            for agent in agents.values():
                # The worker itself is waiting for an answer from now on.
                eventually_blocking(lambda agent=agent: b"rrq.job" in agent.received, 20)
            began = time.monotonic()
            jobs = {
                name: [client.enqueue(one, _queue_name=name) for one in ("brew", "vanish")]
                for name in urls
            }
            for name, of_worker in jobs.items():
                results[name] += [client.wait(job, timeout=60) for job in of_worker]
            seconds = time.monotonic() - began
        started[MISSING].said("takes no traces")
        for name, worker in started.items():
            # ddtrace itself would wait at its end for an agent that hangs.
            worker.tell(signal.SIGKILL if name == DDTRACE_RUN else signal.SIGTERM)
        return {
            name: Untaken(urls[name], results[name], seconds, worker.wait(STOPS_WITHIN_SECONDS))
            for name, worker in started.items()
        }


EACH = pytest.mark.parametrize("name", [HANGING, DDTRACE_RUN, MISSING])


@EACH
def test_neither_jobs_nor_a_new_executor_wait_for_an_agent_that_takes_nothing(
    workers: dict[str, Untaken], name: str
) -> None:
    assert workers[name].results == [1, 1, 2]
    # ddtrace holds up what is called before a fork for nearly twenty seconds.
    assert workers[name].seconds < 12


@pytest.mark.parametrize("name", [HANGING, MISSING])
def test_the_end_of_a_worker_does_not_wait_for_an_agent_that_takes_nothing(
    workers: dict[str, Untaken], name: str
) -> None:
    assert workers[name].worker.code == 0


@EACH
def test_what_is_said_of_it_is_one_line_of_each_process(
    workers: dict[str, Untaken], name: str
) -> None:
    lines = workers[name].worker.stderr.splitlines()
    complaints = [line for line in lines if "Datadog's agent takes no traces" in line]
    of_worker = [line for line in complaints if "rrq.executor" not in line]

    assert "Traceback" not in workers[name].worker.stderr
    assert len(of_worker) <= 1
    # The first executor was killed, the second one takes its place.
    assert len(complaints) - len(of_worker) <= 2
    assert [line for line in lines[2:] if not re.match(r"\d\d:\d\d:\d\d ", line)] == []


def test_the_line_says_where_the_agent_was_looked_for_and_what_to_do(
    workers: dict[str, Untaken],
) -> None:
    missing = workers[MISSING]

    [line] = [
        line
        for line in missing.worker.stderr.splitlines()
        if "takes no traces" in line and "rrq.executor" not in line
    ]
    assert missing.url in line
    assert "jobs go on" in line
    assert "DD_TRACE_AGENT_URL says where" in line


class _SilentAgent:
    """Takes what is sent, and never answers.

    Attributes:
        received: all of it.
    """

    def __init__(self, listening: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.received = b""
        self._listening = listening
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while chunk := connection.recv(65536):
                self.received += chunk


@contextmanager
def _silent_agent() -> Iterator[_SilentAgent]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield _SilentAgent(listening)


def _write(place: Place, dsn: str) -> None:
    place.write("handlers.py", HANDLERS)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{dsn}"

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        """,
    )
