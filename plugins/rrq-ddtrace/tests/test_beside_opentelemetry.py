"""OpenTelemetry and Datadog both installed: what each backend gets of a producer process, a worker,
an executor process and a handler with spans of its own, for a job that succeeds and one that fails.

Once with the headers that ddtrace writes by itself, where each backend has a trace of its own, and
once with W3C's alone and under `ddtrace-run`, where the worker's and the executor's spans are in
OpenTelemetry's trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from rrq.embedded import EmbeddedRedis
from tests.support.distributions import rrq_command
from tests.support.places import Ended, Place

from .agent import Span, TestAgent

# Its folder has no name that an import statement could use.
receiver: Any = import_module("plugins.rrq-otel.tests.receiver")

FUNCTIONS = ("brew", "spill")

WHY = "all over the floor"

QUIET = {
    # What `ddtrace-run` would do beside, at the cost of time.
    "DD_PATCH_MODULES": "redis:false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
}

HANDLERS = f"""
    import os
    import signal
    from pathlib import Path

    from ddtrace.trace import tracer
    from opentelemetry import trace

    from rrq import JobRegistry, PythonExecutorSettings

    def grind():
        of_datadog = tracer.trace("grind")
        of_opentelemetry = trace.get_tracer("kitchen").start_as_current_span("grind")
        return of_datadog, of_opentelemetry

    async def brew(ctx):
        of_datadog, of_opentelemetry = grind()
        with of_datadog, of_opentelemetry:
            return ctx["trace_context"]

    async def spill(ctx):
        of_datadog, of_opentelemetry = grind()
        with of_datadog, of_opentelemetry:
            raise RuntimeError("{WHY}")

    async def vanish(ctx):
        if not Path("vanished").exists():
            Path("vanished").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    registry = JobRegistry()
    for handler in (brew, spill, vanish):
        registry.register(handler.__name__, handler)
    settings = PythonExecutorSettings(job_registry=registry)
"""

PRODUCER = """
    import asyncio
    import json
    import sys
    from contextlib import nullcontext

    from ddtrace.trace import tracer
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from rrq import RRQClient
    from rrq.config import load_toml_settings
    from rrq.exc import JobFailed

    request, of_datadog = sys.argv[1:]
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)

    async def main():
        async with RRQClient(load_toml_settings()) as client:
            with trace.get_tracer("shop").start_as_current_span(request):
                with tracer.trace(request) if of_datadog == "too" else nullcontext():
                    brewed = await client.enqueue("brew")
                    spilt = await client.enqueue("spill", _max_retries=1)
            carried = await client.wait(brewed, timeout=60)
            try:
                await client.wait(spilt, timeout=60)
            except JobFailed:
                pass
            jobs = {"brew": brewed.id, "spill": spilt.id}
            if of_datadog == "too":
                vanished = await client.enqueue("fragile#vanish")
                await client.wait(vanished, timeout=60)
                jobs["vanish"] = vanished.id
            print(json.dumps({"jobs": jobs, "enqueued": brewed.trace_context, "carried": carried}))

    asyncio.run(main())
    tracer.flush()
"""


@dataclass(frozen=True)
class Kitchen:
    """What ran.

    Attributes:
        jobs: the ids by function.
        enqueued: the headers that the producer gave the job `brew`.
        carried: those that its executor got.
    """

    jobs: dict[str, str]
    enqueued: dict[str, str]
    carried: dict[str, str]
    worker: Ended


@pytest.fixture(scope="module")
def collector() -> Iterator[Any]:
    """What OpenTelemetry sends to."""
    with receiver.http_receiver() as collector:
        yield collector


@pytest.fixture(scope="module")
def kitchens(
    agent: TestAgent,
    collector: Any,
    rrq_redis_server: EmbeddedRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Kitchen]:
    """With the headers of both, `apart`, and with W3C's alone, `joined`: at once, as both wait."""
    rrq_redis_server.flush()
    environment = {
        **agent.environment(DD_SERVICE="kitchen", **QUIET),
        **collector.environment(OTEL_METRICS_EXPORTER="none"),
        "RRQ_DISABLED_PLUGINS": "prometheus,logfire",
    }
    environments = {
        "apart": environment,
        "joined": {**environment, "DD_TRACE_PROPAGATION_STYLE": "tracecontext"},
    }
    with ExitStack() as places:
        lent = {
            name: places.enter_context(
                contextmanager(_place(tmp_path_factory, name, rrq_redis_server.dsn).lend)()
            )
            for name in environments
        }
        workers = {
            name: place.start(
                *(["ddtrace-run"] if name == "joined" else []),
                *("rrq", "worker", "run", "--queue", name),
                **environments[name],
            )
            for name, place in lent.items()
        }
        produced = {
            name: place.start(
                *("python", "producer.py", f"POST /{name}", "too" if name == "apart" else "no"),
                **environments[name],
            )
            for name, place in lent.items()
        }
        told = {name: json.loads(running.wait(90).stdout) for name, running in produced.items()}
        return {
            name: Kitchen(
                told[name]["jobs"], told[name]["enqueued"], told[name]["carried"], worker.stop()
            )
            for name, worker in workers.items()
        }


@pytest.fixture
def apart(kitchens: dict[str, Kitchen]) -> Kitchen:
    """The jobs whose headers are those of both backends."""
    return kitchens["apart"]


@pytest.fixture
def joined(kitchens: dict[str, Kitchen]) -> Kitchen:
    """The jobs whose headers are W3C's alone."""
    return kitchens["joined"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_opentelemetry_has_one_trace_from_the_request_to_the_handlers_own_span(
    apart: Kitchen, collector: Any, function: str
) -> None:
    (request,) = [span for span in collector.spans if span.name == "POST /apart"]

    chain = _of_opentelemetry(collector, apart.jobs[function])

    assert [span.parent_id for span in chain] == [
        parent.span_id for parent in [request, *chain[:-1]]
    ]
    assert {span.trace_id for span in chain} == {request.trace_id}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_datadog_has_one_trace_from_the_request_to_the_handlers_own_span(
    apart: Kitchen, agent: TestAgent, function: str
) -> None:
    request = agent.named("POST /apart")

    chain = _of_datadog(agent, apart.jobs[function])

    assert [span["parent_id"] for span in chain] == [
        parent["span_id"] for parent in [request, *chain[:-1]]
    ]
    assert {_trace_id(agent, span) for span in chain} == {_trace_id(agent, request)}


def test_both_record_a_failure_and_neither_a_success_as_an_error(
    apart: Kitchen, agent: TestAgent, collector: Any
) -> None:
    for function, failed in (("brew", False), ("spill", True)):
        _, job, execution, own = _of_opentelemetry(collector, apart.jobs[function])
        assert {span.status == "ERROR" for span in (job, execution, own)} == {failed}
        assert ("exception" in execution.event_names) is failed
        _, of_job, of_execution, of_handler = _of_datadog(agent, apart.jobs[function])
        assert {span["error"] == 1 for span in (of_job, of_execution, of_handler)} == {failed}
        told = WHY if failed else None
        assert job.attributes.get("rrq.error_message") == told
        assert of_job["meta"].get("error.message") == told
        outcome = "dlq" if failed else "success"
        assert job.attributes["rrq.outcome"] == of_job["meta"]["rrq.outcome"] == outcome
        assert ("in spill" in of_execution["meta"].get("error.stack", "")) is failed


def test_both_tell_of_the_run_whose_process_died_and_of_the_one_that_followed_it(
    apart: Kitchen, agent: TestAgent, collector: Any
) -> None:
    job_id = apart.jobs["vanish"]
    lost, second = collector.of_job(job_id, "rrq.job")
    (execution,) = collector.of_job(job_id, "rrq.executor")
    of_lost, of_second = sorted(
        (span for span in agent.spans() if span["name"] == "rrq.job" and _is_of(span, job_id)),
        key=lambda span: int(span["start"]),
    )

    assert [span.attributes["rrq.outcome"] for span in (lost, second)] == ["lost", "success"]
    assert (lost.status, lost.event_names[-1], second.status) == ("ERROR", "rrq.lost", "UNSET")
    assert (second.links, execution.parent_id) == ([lost.span_id], second.span_id)
    assert [span["meta"]["rrq.outcome"] for span in (of_lost, of_second)] == ["lost", "success"]
    assert (of_lost["error"], of_lost["meta"]["error.type"], of_second["error"]) == (
        1,
        "ExecutorLost",
        0,
    )
    links = json.loads(of_second["meta"]["_dd.span_links"])
    assert of_lost["span_id"] in [int(link["span_id"], 16) for link in links]


@pytest.mark.parametrize(("name", "made_by"), [("enqueued", 0), ("carried", 1)])
def test_the_w3c_headers_are_opentelemetrys_alone_and_datadogs_are_its_own(
    apart: Kitchen, agent: TestAgent, collector: Any, name: str, made_by: int
) -> None:
    headers: dict[str, str] = getattr(apart, name)

    span = _of_opentelemetry(collector, apart.jobs["brew"])[made_by]
    of_datadog = _of_datadog(agent, apart.jobs["brew"])[made_by]

    assert headers["traceparent"] == f"00-{span.trace_id}-{span.span_id}-01"
    assert "dd=" not in headers.get("tracestate", "")
    assert headers["x-datadog-trace-id"] == str(of_datadog["trace_id"])
    assert headers["x-datadog-parent-id"] == str(of_datadog["span_id"])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_datadogs_spans_link_to_the_trace_of_opentelemetry(
    apart: Kitchen, agent: TestAgent, collector: Any, function: str
) -> None:
    enqueue = _of_opentelemetry(collector, apart.jobs[function])[0]

    links = json.loads(agent.span("rrq.job", apart.jobs[function])["meta"]["_dd.span_links"])

    assert [link["trace_id"] for link in links] == [enqueue.trace_id]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_with_w3cs_headers_alone_worker_and_executor_are_in_one_trace_in_both_backends(
    joined: Kitchen, agent: TestAgent, collector: Any, function: str
) -> None:
    (request,) = [span for span in collector.spans if span.name == "POST /joined"]
    enqueue, job, *below = _of_opentelemetry(collector, joined.jobs[function])
    _, of_job, of_execution, of_handler = _of_datadog(agent, joined.jobs[function])

    of_opentelemetry = {span.trace_id for span in (request, enqueue, job, *below)}
    of_datadog = {_trace_id(agent, span) for span in (of_job, of_execution, of_handler)}
    assert of_datadog == of_opentelemetry == {request.trace_id}
    # The header has room for one parent: its owner's span.
    assert of_job["parent_id"] == int(enqueue.span_id, 16)
    assert of_execution["parent_id"] == int(job.span_id, 16)
    assert of_handler["parent_id"] == of_execution["span_id"]


def test_with_w3cs_headers_alone_there_are_no_others(joined: Kitchen) -> None:
    for headers in (joined.enqueued, joined.carried):
        assert set(headers) - {"tracestate"} == {"traceparent"}


def test_neither_backend_disturbs_a_worker(kitchens: dict[str, Kitchen]) -> None:
    for kitchen in kitchens.values():
        assert kitchen.worker.code == 0
        assert "elemetry" not in kitchen.worker.stderr


def _of_opentelemetry(collector: Any, job_id: str) -> list[Any]:
    """The spans of a job that were sent, each below the one before it."""
    found = [
        collector.of_job(job_id, name)[0] for name in ("rrq.enqueue", "rrq.job", "rrq.executor")
    ]
    (own,) = [span for span in collector.spans if span.parent_id == found[-1].span_id]
    assert own.name == "grind"
    return [*found, own]


def _of_datadog(agent: TestAgent, job_id: str) -> list[Span]:
    """As `_of_opentelemetry`, of what came to Datadog."""
    found = [agent.span(name, job_id) for name in ("rrq.enqueue", "rrq.job", "rrq.executor")]
    (own,) = [span for span in agent.spans() if span["parent_id"] == found[-1]["span_id"]]
    assert own["name"] == "grind"
    return [*found, own]


def _is_of(span: Span, job_id: str) -> bool:
    return span["meta"].get("rrq.job_id") == job_id


def _trace_id(agent: TestAgent, span: Span) -> str:
    """All 128 bits: the upper half is told once for what a process sends of a trace."""
    halves = [
        other["meta"]["_dd.p.tid"]
        for other in agent.spans()
        if other["trace_id"] == span["trace_id"] and "_dd.p.tid" in other["meta"]
    ]
    (half,) = set(halves)
    return f"{half}{span['trace_id']:016x}"


def _place(paths: pytest.TempPathFactory, name: str, dsn: str) -> Place:
    place = Place(paths.mktemp(name), rrq_command().parent)
    place.write("handlers.py", HANDLERS)
    place.write("producer.py", PRODUCER)
    # What is killed takes with it what it has not sent: no job of another test may be there.
    executors = ["python", "fragile"] if name == "apart" else ["python"]
    tables = [
        f'[rrq.executors.{one}]\ntype = "python"\nsettings = "handlers:settings"\npool_size = 1\n'
        for one in executors
    ]
    rrq = f'[rrq]\nredis_dsn = "{dsn}"\ndefault_queue_name = "{name}"\n'
    place.write("rrq.toml", "\n".join([rrq, *tables]))
    return place
