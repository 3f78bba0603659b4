"""All telemetry plugins in the same processes, Datadog's agent away: each job is told of once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import pytest

from rrq.settings import RRQSettings
from tests.support.places import Ended, Place
from tests.support.places import place as place
from tests.support.ports import free_port

# Their folders have no names that an import statement could use.
otel: Any = import_module("plugins.rrq-otel.tests.receiver")
logfire: Any = import_module("plugins.rrq-logfire.tests.receiver")

HANDLERS = """
    import logfire

    from rrq import JobRegistry, PythonExecutorSettings

    async def brew(ctx):
        with logfire.span("grind"):
            return 1

    registry = JobRegistry()
    registry.register("brew", brew)
    settings = PythonExecutorSettings(job_registry=registry)
"""

PRODUCER = """
    import asyncio
    import json

    import logfire

    from rrq import RRQClient
    from rrq.config import load_toml_settings

    logfire.configure(service_name="shop-web", console=False)

    async def main():
        async with RRQClient(load_toml_settings()) as client:
            with logfire.span("POST /brew"):
                jobs = [await client.enqueue("brew") for _ in range(3)]
            results = [await client.wait(job, timeout=60) for job in jobs]
        print(json.dumps([results, [job.trace_context for job in jobs]]))

    asyncio.run(main())
    logfire.force_flush()
"""


@pytest.fixture
def receivers() -> Iterator[tuple[Any, Any]]:
    """A collector, and a Logfire."""
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(receiver())
            for receiver in (otel.http_receiver, logfire.logfire_server)
        )


def test_with_all_plugins_each_job_has_one_span_of_each_kind_in_one_trace(
    place: Place, settings: RRQSettings, receivers: tuple[Any, Any]
) -> None:
    collector, logfire_server = receivers
    place.write("handlers.py", HANDLERS)
    place.write("producer.py", PRODUCER)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{settings.redis_dsn}"

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1

        [rrq.plugins.prometheus]
        port = 0
        """,
    )
    environment = {
        **collector.environment(),
        "LOGFIRE_TOKEN": logfire.TOKEN,
        "LOGFIRE_BASE_URL": logfire_server.base_url,
        # Logfire would not, where it sees that it is tested.
        "LOGFIRE_SEND_TO_LOGFIRE": "true",
        "DD_SERVICE": "brewery",
        "DD_TRACE_AGENT_URL": f"http://127.0.0.1:{free_port()}",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    }

    worker = place.start("rrq", "worker", "run", **environment)
    produced = place.run("python", "producer.py", within_seconds=90, **environment)
    said = worker.stop()

    results, headers = json.loads(produced.stdout)
    assert results == [1, 1, 1]
    assert _healthy(said)
    expected = {"POST /brew": 1, "rrq.enqueue": 3, "rrq.job": 3, "rrq.executor": 3, "grind": 3}
    # Logfire is OpenTelemetry's provider, and sends to the collector too.
    for spans in (logfire_server.spans, collector.spans):
        assert Counter(span.name for span in spans if not _is_pending(span)) == expected
        assert len({span.trace_id for span in spans}) == 1
    assert sum(point.value for point in collector.metrics["rrq.jobs.finished"][-1:]) == 3
    (trace_id,) = {span.trace_id for span in logfire_server.spans}
    assert {one["traceparent"].split("-")[1] for one in headers} == {trace_id}


def _is_pending(span: Any) -> bool:
    return bool(span.attributes.get(logfire.TYPE) == "pending_span")


def _healthy(worker: Ended) -> bool:
    return worker.code == 0 and "Traceback" not in worker.stderr
