"""Workers with OpenTelemetry beside Datadog under `ddtrace-run`, and with an agent that hangs."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.distributions import rrq_command
from tests.support.places import Ended, Place

from .agent import TestAgent

STOPS_WITHIN_SECONDS = 12.0

QUIET = {
    # What `ddtrace-run` would do beside, at the cost of time.
    "DD_PATCH_MODULES": "redis:false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "RRQ_DISABLED_PLUGINS": "prometheus,logfire,top",
}

HANDLERS = """
    import os
    from rrq import JobRegistry, PythonExecutorSettings

    def brew(ctx):
        return 1

    registry = JobRegistry()
    registry.register("brew", brew)
    settings = PythonExecutorSettings(job_registry=registry)
"""

PRODUCER = """
    import asyncio

    from ddtrace.trace import tracer
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from rrq import RRQClient
    from rrq.config import load_toml_settings

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)

    async def main():
        async with RRQClient(load_toml_settings()) as client:
            with trace.get_tracer("shop").start_as_current_span("POST /brew"):
                with tracer.trace("POST /brew"):
                    job = await client.enqueue("brew")
        print(job.id)

    asyncio.run(main())
"""


@dataclass(frozen=True)
class Both:
    """A job that both backends have seen, and the headers that it carried."""

    job_id: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Stuck:
    """A worker whose agent hangs: what became of its job, and of itself."""

    result: Any
    run_seconds: float
    worker: Ended


@pytest.fixture(scope="module")
def workers(
    agent: TestAgent, rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Both, Stuck]:
    """Both at once, as one of them mostly waits."""
    rrq_redis_server.flush()
    dsn = rrq_redis_server.dsn
    environment = agent.environment(
        DD_SERVICE="brewery",
        OTEL_EXPORTER_OTLP_ENDPOINT=agent.otlp_url,
        OTEL_METRICS_EXPORTER="none",
        **QUIET,
    )
    stuck, both = (_place(tmp_path_factory, name, dsn) for name in ("stuck", "both"))
    with socket.create_server(("127.0.0.1", 0)) as hanging, ExitStack() as places:
        for place in (stuck, both):
            places.enter_context(contextmanager(place.lend)())
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        worker = stuck.start(
            *("rrq", "worker", "run", "--queue", "stuck"), DD_TRACE_AGENT_URL=url, **QUIET
        )
        job_id = both.run("python", "producer.py", **environment).stdout.strip()
        with SyncRRQClient(RRQSettings(redis_dsn=dsn)) as client:
            job = client.enqueue("brew", _queue_name="stuck")
            result = client.wait(job, timeout=20)
            done = client.get_job(job.id)
            worker.tell(signal.SIGTERM)
            deadline = time.monotonic() + STOPS_WITHIN_SECONDS
            both.run("ddtrace-run", "rrq", "worker", "run", "--burst", **environment)
            traced = client.get_job(job_id)
        ended = worker.wait(max(1.0, deadline - time.monotonic()))
    assert traced
    assert done
    assert done.start_time
    assert done.completion_time
    took = done.completion_time - done.start_time
    return Both(job_id, traced.trace_context or {}), Stuck(result, took.total_seconds(), ended)


def test_two_backends_trace_one_job_each_in_its_own_trace(
    workers: tuple[Both, Stuck], agent: TestAgent
) -> None:
    job_id = workers[0].job_id
    enqueue, job, execution = (
        agent.span(f"rrq.{part}", job_id) for part in ("enqueue", "job", "executor")
    )
    otlp = agent.otlp_spans()
    request, otlp_enqueue, otlp_job, otlp_execution = (
        otlp[name] for name in ("POST /brew", "rrq.enqueue", "rrq.job", "rrq.executor")
    )

    assert enqueue["parent_id"] == agent.named("POST /brew")["span_id"]
    assert (job["parent_id"], execution["parent_id"]) == (enqueue["span_id"], job["span_id"])
    assert {span["trace_id"] for span in (job, execution)} == {enqueue["trace_id"]}
    assert otlp_enqueue[2] == request[1]
    assert (otlp_job[2], otlp_execution[2]) == (otlp_enqueue[1], otlp_job[1])
    assert {span[0] for span in (request, otlp_job, otlp_execution)} == {otlp_enqueue[0]}


def test_beside_opentelemetry_the_w3c_headers_are_opentelemetrys_and_datadogs_are_its_own(
    workers: tuple[Both, Stuck], agent: TestAgent
) -> None:
    headers = workers[0].headers
    enqueue = agent.span("rrq.enqueue", workers[0].job_id)

    trace_id, span_id, _ = agent.otlp_spans()["rrq.enqueue"]
    assert headers["traceparent"] == f"00-{trace_id}-{span_id}-01"
    assert "dd=" not in headers.get("tracestate", "")
    assert headers["x-datadog-trace-id"] == str(enqueue["trace_id"])
    assert headers["x-datadog-parent-id"] == str(enqueue["span_id"])


def test_datadogs_spans_link_to_the_trace_of_opentelemetry(
    workers: tuple[Both, Stuck], agent: TestAgent
) -> None:
    trace_id = agent.otlp_spans()["rrq.enqueue"][0]

    links = json.loads(agent.span("rrq.job", workers[0].job_id)["meta"]["_dd.span_links"])

    assert [link["trace_id"] for link in links] == [trace_id]


def test_jobs_and_the_workers_end_do_not_notice_an_agent_that_hangs(
    workers: tuple[Both, Stuck],
) -> None:
    stuck = workers[1]

    assert stuck.result == 1
    assert stuck.run_seconds < 1
    assert stuck.worker.code == 0
    assert "Traceback" not in stuck.worker.stderr


def _place(paths: pytest.TempPathFactory, name: str, dsn: str) -> Place:
    place = Place(paths.mktemp(name), rrq_command().parent)
    place.write("handlers.py", HANDLERS)
    place.write("producer.py", PRODUCER)
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
    return place
