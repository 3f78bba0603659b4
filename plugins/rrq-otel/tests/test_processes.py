"""Applications that only installed the plugin or enabled it, and workers without a collector."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rrq.client import RRQClient
from rrq.settings import RRQSettings
from rrq_otel.config import OtelConfig
from tests.support.distributions import Site
from tests.support.distributions import site as site
from tests.support.places import Place

APPLICATION = """
    import asyncio, json, sys
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from rrq import RRQClient, RRQSettings

    {before}
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    if {configured}:
        trace.set_tracer_provider(provider)
    {after}

    async def main():
        async with RRQClient(RRQSettings(redis_dsn="{dsn}")) as client:
            return await client.enqueue("work")

    job = asyncio.run(main())
    from rrq.telemetry import get_telemetry
    telemetry = get_telemetry()
    print(json.dumps({{
        "backends": [one.name for one in telemetry.members] if telemetry else [],
        "spans": [span.name for span in exporter.get_finished_spans()],
        "service": [span.attributes.get("service.name") for span in exporter.get_finished_spans()],
        "trace_context": sorted(job.trace_context or {{}}),
        "provider_is_kept": trace.get_tracer_provider() is provider,
    }}))
"""

ENABLE = "from rrq.integrations.otel import enable; enable(); enable(service_name='web')"
OTHERS = "ddtrace,logfire,prometheus"


def told(
    site: Site,
    settings: RRQSettings,
    *,
    configured: bool = True,
    before: str = "",
    after: str = "",
    disabled: str = OTHERS,
) -> dict[str, object]:
    program = APPLICATION.format(
        dsn=settings.redis_dsn, configured=configured, before=before, after=after
    )
    answer = site.python(
        program,
        RRQ_DISABLED_PLUGINS=disabled,
        OTEL_EXPORTER_OTLP_ENDPOINT="",
        OTEL_SDK_DISABLED="",
    )
    found: dict[str, object] = json.loads(answer)
    return found


def test_an_application_that_only_installed_the_plugin_is_traced(
    site: Site, settings: RRQSettings
) -> None:
    assert told(site, settings) == {
        "backends": ["otel"],
        "spans": ["rrq.enqueue"],
        "service": [None],
        "trace_context": ["traceparent"],
        "provider_is_kept": True,
    }


@pytest.mark.parametrize("place", ["before", "after"])
def test_enabling_twice_beside_the_installed_plugin_makes_one_backend(
    site: Site, settings: RRQSettings, place: str
) -> None:
    found = told(site, settings, **{place: ENABLE})
    assert (found["backends"], found["spans"]) == (["otel"], ["rrq.enqueue"])
    assert found["service"] == ["web"]


def test_an_application_that_disabled_the_plugin_is_not_traced(
    site: Site, settings: RRQSettings
) -> None:
    found = told(site, settings, disabled=f"{OTHERS},otel")
    assert (found["backends"], found["spans"], found["trace_context"]) == ([], [], [])


def test_an_application_without_a_configured_sdk_gets_none(
    site: Site, settings: RRQSettings
) -> None:
    found = told(site, settings, configured=False)
    assert (found["spans"], found["trace_context"]) == ([], [])
    assert found["provider_is_kept"] is False


def test_the_configuration_has_a_service_name_and_attributes() -> None:
    config = OtelConfig(service_name="shop", attributes={"tenant": "kwargs.tenant"})
    assert config.correlation() is not None
    assert OtelConfig().service_name == "rrq"


# -- a collector that does not answer -----------------------------------------------------


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that takes connections and requests, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for connection in taken:
            connection.close()


HANDLERS = """
    from rrq import JobRegistry, PythonExecutorSettings

    async def double(ctx, number):
        return 2 * number

    registry = JobRegistry()
    registry.register("double", double)
    settings = PythonExecutorSettings(job_registry=registry)
"""


async def test_jobs_and_the_stop_do_not_wait_for_a_collector_that_never_answers(
    place: Place, settings: RRQSettings
) -> None:
    place.write("handlers.py", HANDLERS)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{settings.redis_dsn}"
        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        """,
    )
    with black_hole() as endpoint:
        worker = place.start(
            "rrq",
            "worker",
            "run",
            RRQ_DISABLED_PLUGINS=OTHERS,
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_BSP_SCHEDULE_DELAY="50",
            OTEL_METRIC_EXPORT_INTERVAL="200",
        )
        async with RRQClient(settings) as client:
            jobs = [await client.enqueue("double", number) for number in range(20)]
            results = [await client.wait(job, timeout=20) for job in jobs if job]
        assert results == [2 * number for number in range(20)]
        began = time.monotonic()
        ended = worker.stop()
        took_seconds = time.monotonic() - began
    assert ended.code == 0
    # Two seconds for the executor's spans, two for the worker's, and what a stop takes anyway.
    assert took_seconds < 7, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Telemetry otel could not send everything within 2 s" in ended.stderr
