"""Which processes are traced, and with which headers: what one application sees of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from rrq_ddtrace.tracing import asks_for_tracing, names_service
from tests.support.distributions import rrq_command
from tests.support.places import Place

SAMPLED = "00-0123456789abcdef0123456789abcdef-00000000000000aa-01"
NOT_SAMPLED = SAMPLED[:-2] + "00"

APPLICATION = """
    import json
    import os
    import sys

    from rrq import telemetry
    from rrq.job_request import JobRequest
    from rrq.settings import RRQSettings
    from rrq.sync_client import SyncRRQClient

    seen = {}
    client = SyncRRQClient(RRQSettings(redis_dsn=sys.argv[1]))

    def headers(**given):
        [job] = client.enqueue_many([JobRequest("sip", **given)])
        return client.get_job(job.id).trace_context or {}

    seen["without ddtrace"] = headers()
    seen["loads ddtrace"] = "ddtrace" in sys.modules

    from ddtrace.trace import Span, tracer

    seen["ddtrace imported"] = headers()
    with tracer.trace("GET /sip") as span:
        seen["in a span"] = headers()
        seen["span"] = f"{span.trace_id:032x}"
    seen["after the span"] = headers()

    from rrq.integrations import ddtrace

    ddtrace.enable(service="bar", env="night", version="9", component="tap")
    [backend] = [one for one in telemetry.get_telemetry().backends if one.name == "ddtrace"]
    ddtrace.enable(service="bar", env="night", version="9", component="tap")
    backends = [one for one in telemetry.get_telemetry().backends if one.name == "ddtrace"]
    seen["same backend"] = backends == [backend]
    finished = []
    finish = Span.finish
    Span.finish = lambda span, *when: finished.append(span) or finish(span, *when)
    seen["enabled"] = headers()
    [span] = finished
    seen["names"] = [span.service, *map(span.get_tag, ("env", "version", "component"))]
    seen["sampled"] = headers(trace_context={"traceparent": sys.argv[2]})
    seen["not sampled"] = headers(trace_context={"traceparent": sys.argv[3]})

    def carried(trace_context):
        return backend.carry(telemetry.StartedJob(
            job_id="job", function_name="sip", queue_name="default", worker_id="w",
            executor_name="python", attempt=1, max_retries=3, timeout_seconds=1,
            queue_delay_ms=0, enqueue_time="2026-01-01T00:00:00Z", lease_token=7,
            previous_lease_token=None, started_ns=1, trace_context=trace_context))

    seen["carried"] = carried({"traceparent": sys.argv[2]})
    seen["carried unsampled"] = carried({"traceparent": sys.argv[3]})
    seen["carried alone"] = [carried({}), carried({})]
    tracer.enabled = False
    seen["turned off"] = headers()
    seen["carried when turned off"] = carried({"traceparent": sys.argv[2]})
    print(json.dumps(seen), flush=True)
    # There is no agent, and ddtrace would wait for one.
    os._exit(0)
"""


STARTER = """
    import os
    import socket
    import subprocess
    import time

    from rrq_ddtrace.loading import keep_forks_short, load_alone

    hanging = socket.create_server(("127.0.0.1", 0))
    os.environ["DD_TRACE_AGENT_URL"] = f"http://127.0.0.1:{hanging.getsockname()[1]}"
    load_alone()
    keep_forks_short()

    from ddtrace.trace import tracer

    with tracer.trace("GET /sip"):
        pass
    connection = hanging.accept()
    began = time.monotonic()
    subprocess.run(["true"], preexec_fn=lambda: None, check=True)
    print(time.monotonic() - began, flush=True)
    os._exit(0)
"""


WORKER = """
    import json
    import os
    import signal
    import sys

    from rrq import telemetry
    from rrq.settings import RRQSettings
    from rrq_ddtrace.activation import backend_for

    before = signal.getsignal(signal.SIGTERM)
    backend = backend_for("orchestrator", RRQSettings())
    from ddtrace.trace import Span

    finished = []
    finish = Span.finish
    Span.finish = lambda span, *when: finished.append(span) or finish(span, *when)
    seen = {
        "handler": signal.getsignal(signal.SIGTERM) == before,
        "patched": sorted(getattr(sys.modules.get("ddtrace._monkey"), "_PATCHED_MODULES", ()))}
    ended = telemetry.FinishedJob(outcome="success", ended_ns=10**18 + 10**6, duration_ms=1.0)
    for name in ("keep", "drop"):
        started = telemetry.StartedJob(
            job_id="job", function_name=name, queue_name="default", worker_id="w",
            executor_name="python", attempt=1, max_retries=3, timeout_seconds=1,
            queue_delay_ms=0, enqueue_time="2026-01-01T00:00:00Z", lease_token=7,
            previous_lease_token=None, started_ns=10**18, trace_context={})
        carried = backend.carry(started)
        backend.attempt(telemetry.Attempt(started=started, finished=ended, carried=carried))
        span = finished.pop()
        seen[name] = {
            "carried": carried, "service": span.service, "trace": span.trace_id,
            "span": span.span_id, "parent": span.parent_id, "start_ns": span.start_ns,
            "priority": span.context.sampling_priority}
    print(json.dumps(seen), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def seen(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the application saw, with W3C as its style of propagation."""
    rrq_redis_server.flush()
    place = Place(tmp_path_factory.mktemp("application"), rrq_command().parent)
    place.write("application.py", APPLICATION)
    for _ in place.lend():
        ended = place.run(
            *("python", "application.py", rrq_redis_server.dsn, SAMPLED, NOT_SAMPLED),
            DD_TRACE_PROPAGATION_STYLE="tracecontext",
            DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_an_application_that_does_not_use_ddtrace_is_not_traced(seen: dict[str, Any]) -> None:
    assert seen["without ddtrace"] == {}
    assert seen["loads ddtrace"] is False


def test_nor_is_one_that_has_only_imported_it(seen: dict[str, Any]) -> None:
    assert seen["ddtrace imported"] == {}
    assert seen["after the span"] == {}


def test_an_application_in_a_span_of_its_own_is_traced(seen: dict[str, Any]) -> None:
    assert seen["in a span"]["traceparent"].split("-")[1] == seen["span"]


def test_one_that_calls_enable_is_traced_by_one_backend_under_the_names_it_gave(
    seen: dict[str, Any],
) -> None:
    assert seen["same backend"] is True
    assert seen["enabled"]["traceparent"].endswith("-01")
    assert seen["names"] == ["bar", "night", "9", "tap"]


def test_turned_off_ddtrace_writes_no_headers(seen: dict[str, Any]) -> None:
    assert seen["turned off"] == {}
    assert seen["carried when turned off"] == {}


@pytest.mark.parametrize(("where", "flags"), [("sampled", "01"), ("not sampled", "00")])
def test_with_w3c_a_producer_joins_a_trace_of_opentelemetry_and_its_sampling(
    seen: dict[str, Any], where: str, flags: str
) -> None:
    _, trace_id, span_id, told = seen[where]["traceparent"].split("-")

    assert trace_id == SAMPLED.split("-")[1]
    assert span_id != SAMPLED.split("-")[2]
    assert told == flags


@pytest.mark.parametrize(("where", "flags"), [("carried", "01"), ("carried unsampled", "00")])
def test_with_w3c_a_worker_joins_a_trace_of_opentelemetry_and_its_sampling(
    seen: dict[str, Any], where: str, flags: str
) -> None:
    _, trace_id, span_id, told = seen[where]["traceparent"].split("-")

    assert trace_id == SAMPLED.split("-")[1]
    assert span_id != SAMPLED.split("-")[2]
    assert told == flags
    assert f"p:{span_id}" in seen[where]["tracestate"]


def test_the_attempts_of_a_job_without_a_trace_are_in_one(seen: dict[str, Any]) -> None:
    first, second = (one["traceparent"] for one in seen["carried alone"])

    assert first == second
    assert first.endswith("-01")
    assert int(first.split("-")[1], 16) > 2**64


def test_a_worker_starts_an_executor_without_waiting_for_an_agent_that_hangs(place: Place) -> None:
    place.write("starter.py", STARTER)

    took_seconds = float(place.run("python", "starter.py").stdout)

    # ddtrace would wait until the agent's time is up, which is two seconds at least.
    assert took_seconds < 1.5


@pytest.mark.parametrize(
    ("environment", "asks"),
    [
        ({}, False),
        ({"DD_SERVICE": "shop"}, True),
        ({"DD_TRACE_AGENT_URL": "http://agent:8126"}, True),
        ({"DD_TRACE_ENABLED": "true"}, True),
        ({"DD_SERVICE": ""}, False),
        ({"DD_SERVICE": "shop", "DD_TRACE_ENABLED": "false"}, False),
        ({"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false"}, False),
    ],
)
def test_a_worker_is_traced_if_datadogs_variables_ask_for_it(
    environment: dict[str, str], asks: bool
) -> None:
    assert asks_for_tracing(environment) is asks


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"DD_SERVICE": "shop"}, True),
        ({"DD_TAGS": "team:a,service:shop"}, True),
        ({"DD_TAGS": "team:a micro-service:no"}, False),
    ],
)
def test_the_service_is_datadogs_if_its_variables_name_one(
    environment: dict[str, str], names: bool
) -> None:
    assert names_service(environment) is names


def test_a_worker_alone_decides_on_sampling_once_by_ddtraces_rules_and_tells_the_executor(
    place: Place,
) -> None:
    place.write("worker.py", WORKER)
    rules = json.dumps([{"resource": "drop", "sample_rate": 0.0}])

    seen = json.loads(
        place.run(
            *("python", "worker.py"),
            DD_TRACE_AGENT_URL="http://127.0.0.1:1",
            DD_TRACE_SAMPLING_RULES=rules,
            DD_TRACE_128_BIT_TRACEID_GENERATION_ENABLED="false",
        ).stdout
    )

    assert (seen["handler"], seen["patched"]) == (True, [])
    for name, priority in (("keep", 1), ("drop", -1)):
        job = seen[name]
        assert job["priority"] == priority
        assert job["carried"]["x-datadog-sampling-priority"] == str(priority)
        assert job["carried"]["x-datadog-parent-id"] == str(job["span"])
        assert job["carried"]["x-datadog-trace-id"] == str(job["trace"])
        assert "_dd.p.tid" not in job["carried"]["x-datadog-tags"]
        assert (job["service"], job["parent"], job["start_ns"]) == ("rrq", None, 10**18)
