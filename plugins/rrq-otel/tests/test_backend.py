"""What the backend makes of jobs: sampling, foreign jobs, other propagators, baggage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from redis.asyncio import Redis

from rrq import telemetry
from rrq.exc import RetryJob
from rrq.protocol import ExecutionContext, ExecutionRequest
from rrq.settings import RRQSettings
from rrq.telemetry import FanOut
from rrq_otel.backend import OTelTelemetry
from rrq_otel.sdk import Providers
from tests.support.waiting import eventually
from tests.telemetry.scripted import scripted

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Exported:
    """The backend with an SDK of its own, and what that exports."""

    def __init__(self, sampler: sampling.Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.backend = OTelTelemetry(Providers(self.provider))

    def spans(self, name: str = "rrq.job") -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture(autouse=True)
def nothing_active() -> Iterator[None]:
    """No backend is active, and the propagator is the usual one, before and after."""
    telemetry.disable()
    usual = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(usual)
    telemetry.disable()


@pytest.fixture
def exported() -> Exported:
    """The backend, active."""
    exported = Exported()
    telemetry.configure(exported.backend)
    return exported


def request(**headers: str) -> ExecutionRequest:
    import msgspec

    return ExecutionRequest(
        job_id="j1",
        function_name="work",
        context=ExecutionContext(
            job_id="j1",
            attempt=1,
            enqueue_time="2026-01-01T00:00:00Z",
            queue_name="default",
            trace_context=msgspec.Raw(msgspec.json.encode(headers)),
        ),
    )


def headers_of(request: ExecutionRequest) -> dict[str, str]:
    import msgspec

    return msgspec.json.decode(request.context.trace_context, type=dict[str, str])


def ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


# -- in a worker ----------------------------------------------------------------------------


async def test_all_attempts_of_a_job_without_trace_are_one_new_trace(
    settings: RRQSettings, redis: Redis, exported: Exported
) -> None:
    async with scripted(settings) as (_, _client, requests):
        await redis.hset(
            "rrq:job:f1",
            mapping={"id": "f1", "function_name": "retry", "enqueue_time": "2026-01-01T00:00:00Z"},
        )
        await redis.zadd("rrq:queue:default", {"f1": 1})
        first, second = await eventually(lambda: len(exported.spans()) == 2 and exported.spans())
    assert first.parent is second.parent is None
    assert ids(first)[0] == ids(second)[0] != 0
    assert [link.context.span_id for link in second.links] == [ids(first)[1]]
    for told, span in zip(requests, (first, second), strict=True):
        trace_id, span_id = ids(span)
        assert headers_of(told)["traceparent"] == f"00-{trace_id:032x}-{span_id:016x}-01"


async def test_a_trace_that_is_not_sampled_stays_so_and_its_job_is_counted_all_the_same(
    settings: RRQSettings,
) -> None:
    exported = Exported(sampling.ParentBased(sampling.ALWAYS_OFF))
    telemetry.configure(exported.backend)
    async with scripted(settings) as (_, client, requests):
        job = await client.enqueue("work")
        assert job is not None
        await client.wait(job, timeout=5)
    assert exported.exporter.get_finished_spans() == ()
    assert headers_of(requests[0])["traceparent"].endswith("-00")


async def test_a_sampler_that_does_not_follow_the_parent_is_asked(settings: RRQSettings) -> None:
    exported = Exported(sampling.ALWAYS_OFF)
    telemetry.configure(exported.backend)
    async with scripted(settings) as (_, client, requests):
        job = await client.enqueue("work")
        assert job is not None
        await client.wait(job, timeout=5)
    assert headers_of(requests[0])["traceparent"].endswith("-00")
    with FanOut([exported.backend]).execution(request(traceparent=SAMPLED)):
        pass
    assert exported.exporter.get_finished_spans() == ()


async def test_trace_state_and_baggage_travel_to_the_executor(
    settings: RRQSettings, redis: Redis, exported: Exported
) -> None:
    context = (
        f'{{"traceparent": "{SAMPLED}", "tracestate": "a=1,b=2", "baggage": "user=7", "x": "y"}}'
    )
    async with scripted(settings) as (_, _client, requests):
        await redis.hset(
            "rrq:job:f1",
            mapping={
                "id": "f1",
                "function_name": "work",
                "enqueue_time": "2026-01-01T00:00:00Z",
                "trace_context": context,
            },
        )
        await redis.zadd("rrq:queue:default", {"f1": 1})
        [span] = await eventually(exported.spans)
    headers = headers_of(requests[0])
    assert headers == {
        "traceparent": f"{SAMPLED[:36]}{ids(span)[1]:016x}-01",
        "tracestate": "a=1,b=2",
        "baggage": "user=7",
        "x": "y",
    }
    context_of_span = span.get_span_context()
    assert context_of_span is not None
    assert context_of_span.trace_state.to_header() == "a=1,b=2"
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


class OneHeader(TextMapPropagator):
    """As B3 in its single form: everything in a header of its own."""

    fields = {"b3"}  # noqa: RUF012 - the interface has an attribute

    def extract(
        self, carrier: CarrierT, context: Any = None, getter: Getter[CarrierT] = default_getter
    ) -> Any:
        value = getter.get(carrier, "b3")
        if not value:
            return context
        trace_id, span_id, flags = value[0].split("-")
        span = SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags)))
        return trace.set_span_in_context(NonRecordingSpan(span), context)

    def inject(
        self, carrier: CarrierT, context: Any = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        span = trace.get_current_span(context).get_span_context()
        text = f"{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags)}"
        setter.set(carrier, "b3", text)


async def test_another_global_propagator_is_used_all_the_way(
    settings: RRQSettings, exported: Exported
) -> None:
    propagate.set_global_textmap(OneHeader())
    async with scripted(settings) as (_, client, requests):
        job = await client.enqueue("work")
        assert job is not None
        [span] = await eventually(exported.spans)
    [enqueue] = exported.spans("rrq.enqueue")
    assert list(job.trace_context or {}) == ["b3"]
    assert span.parent is not None
    assert (span.parent.trace_id, span.parent.span_id) == ids(enqueue)
    with FanOut([exported.backend]).execution(requests[0]):
        pass
    [execution] = exported.spans("rrq.executor")
    assert execution.parent is not None
    assert (execution.parent.trace_id, execution.parent.span_id) == ids(span)


# -- in a producer --------------------------------------------------------------------------


async def test_the_jobs_of_a_bulk_are_siblings_in_the_callers_span(
    settings: RRQSettings, exported: Exported
) -> None:
    from rrq.client import RRQClient
    from rrq.job_request import JobRequest

    tracer = exported.provider.get_tracer("app")
    async with RRQClient(settings) as client:
        with tracer.start_as_current_span("request") as own:
            await client.enqueue_many(JobRequest("work") for _ in range(3))
    spans = exported.spans("rrq.enqueue")
    assert len(spans) == 3
    assert {span.parent.span_id for span in spans if span.parent} == {
        own.get_span_context().span_id
    }


async def test_a_request_that_brings_a_trace_is_its_child_where_there_is_no_current_span(
    settings: RRQSettings, exported: Exported
) -> None:
    from rrq.client import RRQClient
    from rrq.job_request import JobRequest

    given = {"traceparent": SAMPLED, "tracestate": "a=1", "x-more": "kept"}
    async with RRQClient(settings) as client:
        [job] = await client.enqueue_many([JobRequest("work", trace_context=given)])
    [span] = exported.spans("rrq.enqueue")
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert job is not None
    assert job.trace_context == {
        "traceparent": f"{SAMPLED[:36]}{ids(span)[1]:016x}-01",
        "tracestate": "a=1",
        "x-more": "kept",
    }


async def test_what_redis_refuses_is_recorded(settings: RRQSettings, exported: Exported) -> None:
    from rrq.client import RRQClient
    from rrq.exc import DuplicateJob

    async with RRQClient(settings) as client:
        await client.enqueue("work", _unique_key="k")
        with pytest.raises(DuplicateJob):
            await client.enqueue("work", _unique_key="k", _on_conflict="raise")
    _, refused = exported.spans("rrq.enqueue")
    assert refused.status.status_code.name == "ERROR"
    assert [event.name for event in refused.events] == ["exception"]
    assert (refused.attributes or {})["error.type"] == "DuplicateJob"


def test_the_sync_client_enqueues_in_its_callers_span(
    settings: RRQSettings, exported: Exported
) -> None:
    from rrq.sync_client import SyncRRQClient

    tracer = exported.provider.get_tracer("app")
    with SyncRRQClient(settings) as client:
        for _ in range(2):
            with tracer.start_as_current_span("request") as own:
                client.enqueue("work")
            assert exported.spans("rrq.enqueue")[-1].parent == own.get_span_context()


async def test_what_a_handler_enqueues_is_the_child_of_its_execution(
    settings: RRQSettings, exported: Exported
) -> None:
    from rrq.client import RRQClient

    async with RRQClient(settings) as client:
        with FanOut([exported.backend]).execution(request(traceparent=SAMPLED)):
            await client.enqueue("work")
    [enqueue], [execution] = exported.spans("rrq.enqueue"), exported.spans("rrq.executor")
    assert enqueue.parent is not None
    assert (enqueue.parent.trace_id, enqueue.parent.span_id) == ids(execution)


# -- in an executor -------------------------------------------------------------------------


@pytest.mark.parametrize("is_sampled", [True, False])
def test_a_handler_can_do_with_the_current_span_what_it_likes(
    exported: Exported, is_sampled: bool
) -> None:
    header = SAMPLED if is_sampled else f"{SAMPLED[:-2]}00"
    with FanOut([exported.backend]).execution(request(traceparent=header)):
        span = trace.get_current_span()
        assert span.is_recording() is is_sampled
        span.set_attribute("order", 7)
        span.set_attribute("rrq.function", "renamed")
        span.add_event("sold")
        span.update_name("sell tea")
        span.add_link(SpanContext(1, 2, True))
    if not is_sampled:
        assert exported.exporter.get_finished_spans() == ()
        return
    [ended] = exported.spans("sell tea")
    attributes = ended.attributes or {}
    assert (attributes["order"], attributes["rrq.function"]) == (7, "renamed")
    assert (attributes["rrq.outcome"], attributes["rrq.attempt"]) == ("success", 1)
    assert [event.name for event in ended.events] == ["sold"]
    assert len(ended.links) == 1
    assert trace.get_current_span().get_span_context().is_valid is False


def test_baggage_reaches_the_handler_and_leaves_with_it(exported: Exported) -> None:
    with FanOut([exported.backend]).execution(request(traceparent=SAMPLED, baggage="user=7")):
        assert baggage.get_baggage("user") == "7"
    assert baggage.get_baggage("user") is None


def test_without_a_trace_the_execution_begins_one(exported: Exported) -> None:
    with FanOut([exported.backend]).execution(request()):
        assert trace.get_current_span().is_recording()
    [span] = exported.spans("rrq.executor")
    assert span.parent is None


@pytest.mark.parametrize(
    ("error", "stopped_by", "outcome", "status"),
    [
        (ValueError("boom"), None, "error", "ERROR"),
        (RetryJob("later"), None, "retry", "UNSET"),
        (asyncio.CancelledError(), "deadline", "timeout", "ERROR"),
        (asyncio.CancelledError(), "cancel", "cancelled", "UNSET"),
        (ValueError("clean-up failed"), "deadline", "timeout", "ERROR"),
    ],
)
def test_the_span_says_how_the_handler_ended(
    exported: Exported, error: BaseException, stopped_by: Any, outcome: str, status: str
) -> None:
    def run() -> None:
        with FanOut([exported.backend]).execution(request(traceparent=SAMPLED)) as spans:
            spans.told[0].stopped_by = stopped_by
            raise error

    with pytest.raises(type(error)):
        run()
    [span] = exported.spans("rrq.executor")
    assert (span.attributes or {})["rrq.outcome"] == outcome
    assert span.status.status_code.name == status


def test_the_usual_propagators_are_recognized() -> None:
    from opentelemetry.propagators.composite import CompositePropagator

    from rrq_otel.carrier import W3CCarrier, carrier

    assert isinstance(carrier(), W3CCarrier)
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    assert not isinstance(carrier(), W3CCarrier)
    propagate.set_global_textmap(
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
    )
    assert isinstance(carrier(), W3CCarrier)
