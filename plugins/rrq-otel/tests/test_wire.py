"""The lean encoder writes what OpenTelemetry's own would, byte for byte in meaning."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from rrq_otel.request import encoded

CONTEXT = SpanContext(2**127 + 5, 2**63 + 7, False, TraceFlags(1))
PARENT = SpanContext(2**127 + 5, 9, True, TraceFlags(1), TraceState([("a", "1"), ("b", "2")]))
REMOTE = SpanContext(2**127 + 5, 9, True, TraceFlags(1))
RESOURCE = Resource({"service.name": "shop", "process.pid": 7, "list": ("a", "b")}, "schema")
SCOPE = InstrumentationScope("rrq", "1.0", "schema", {"more": True})

ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"text": "tea", "empty": "", "long": "x" * 300, "wide": "žluť 🍵"},
    {"yes": True, "no": False, "zero": 0, "one": 1, "big": 2**62, "less": -5, "least": -(2**63)},
    {"real": 0.25, "whole": 1.0, "none": 0.0},
    {"texts": ("a", "b"), "numbers": (1, -2), "reals": (0.5,), "flags": (True, False)},
    {"rrq.job_id": "j1", "messaging.message.id": "j1"},
]


def span(**fields: Any) -> ReadableSpan:
    given: dict[str, Any] = {
        "name": "rrq.job",
        "context": CONTEXT,
        "resource": RESOURCE,
        "instrumentation_scope": SCOPE,
        "start_time": 1_700_000_000_000_000_001,
        "end_time": 1_700_000_000_000_000_002,
        **fields,
    }
    return ReadableSpan(**given)


def assert_same(*spans: ReadableSpan) -> None:
    """Twice, as what was kept the first time is used the second."""
    for _ in range(2):
        assert ExportTraceServiceRequest.FromString(encoded(spans)) == encode_spans(spans)


@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_attributes_of_every_kind(attributes: dict[str, Any]) -> None:
    assert_same(span(attributes=attributes))


@pytest.mark.parametrize("kind", SpanKind)
def test_every_kind_of_span(kind: SpanKind) -> None:
    assert_same(span(kind=kind))


@pytest.mark.parametrize(
    "status", [Status(), Status(StatusCode.OK), Status(StatusCode.ERROR, "out of stock")]
)
def test_every_status(status: Status) -> None:
    assert_same(span(status=status))


def test_parents_links_events_and_trace_states() -> None:
    with_state = SpanContext(3, 4, True, TraceFlags(1), TraceState([("x", "y")]))
    assert_same(
        span(
            context=with_state,
            parent=PARENT,
            links=[Link(REMOTE, {"why": "retry"}), Link(CONTEXT)],
            events=[Event("exception", {"exception.type": "E"}, 5), Event("bare", None, 6)],
        )
    )


def test_a_links_trace_state_is_there_which_opentelemetrys_own_encoder_forgets() -> None:
    request = ExportTraceServiceRequest.FromString(encoded([span(links=[Link(PARENT)])]))
    assert request.resource_spans[0].scope_spans[0].spans[0].links[0].trace_state == "a=1,b=2"


def test_spans_of_several_resources_and_scopes() -> None:
    other = InstrumentationScope("shop")
    assert_same(
        span(),
        span(instrumentation_scope=None),
        span(instrumentation_scope=other),
        span(name="third"),
        span(resource=Resource({"service.name": "other"})),
    )


def test_a_span_that_the_sdk_made_and_whose_limits_it_exceeded() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("shop").start_as_current_span("busy") as busy:
        for number in range(200):
            busy.set_attribute(f"a{number}", number)
            busy.add_event(f"e{number}", {"n": number})
            busy.add_link(REMOTE)
    [ended] = exporter.get_finished_spans()
    assert ended.dropped_attributes
    assert_same(ended)
