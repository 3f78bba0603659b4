"""What RRQ's spans export in short is what OpenTelemetry's own encoder would export of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from rrq.exc import RetryJob
from rrq.telemetry import Attempt, FinishedJob, RunningJob, StartedJob
from rrq_otel.backend import OTelTelemetry
from rrq_otel.lean_span import LeanSpan
from rrq_otel.request import encoded
from rrq_otel.sdk import Providers

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
WITH_STATE = {**SAMPLED, "tracestate": "a=1,b=2"}


class Keeping(SpanProcessor):
    """Keeps what has ended as it came."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


class Traced:
    """The backend, and the spans that it made."""

    def __init__(self, limits: SpanLimits | None = None) -> None:
        self._kept = Keeping()
        provider = TracerProvider(shutdown_on_exit=False, span_limits=limits)
        provider.add_span_processor(self._kept)
        self.backend = OTelTelemetry(Providers(provider))

    @property
    def span(self) -> LeanSpan:
        [span] = self._kept.ended
        assert isinstance(span, LeanSpan)
        return span

    @contextmanager
    def handler(
        self, headers: Mapping[str, str] = SAMPLED, stopped_by: Any = None, **attributes: Any
    ) -> Iterator[Span]:
        """The block of a handler."""
        job = RunningJob(
            job_id="j1",
            function_name="sell",
            queue_name="default",
            attempt=1,
            worker_id="w1",
            enqueue_time="2026-01-01T00:00:00Z",
            trace_context=headers,
            attributes=attributes,
            stopped_by=stopped_by,
        )
        with self.backend.execution(job):
            span = trace.get_current_span()
            assert isinstance(span, Span)
            yield span


def attempt(
    headers: Mapping[str, str] = SAMPLED,
    attributes: Mapping[str, Any] | None = None,
    job_id: str = "j1",
    previous: int | None = None,
    **finished: Any,
) -> Attempt:
    started = StartedJob(
        job_id=job_id,
        function_name="sell",
        queue_name="default",
        worker_id="w1",
        executor_name="python",
        attempt=1,
        max_retries=3,
        timeout_seconds=300.0,
        queue_delay_ms=12.3456,
        enqueue_time="2026-01-01T00:00:00Z",
        lease_token=7,
        previous_lease_token=previous,
        started_ns=1_700_000_000_000_000_001,
        trace_context=headers,
    )
    ended: dict[str, Any] = {"outcome": "success", "reason": "success", **finished}
    return Attempt(
        started=started,
        finished=FinishedJob(ended_ns=1_700_000_000_002_500_001, duration_ms=2.5, **ended),
        attributes=attributes or {},
    )


def message(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """With the attributes by their names: their order means nothing."""
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                span.attributes.sort(key=lambda pair: pair.key)
    return request


def assert_same(span: LeanSpan) -> None:
    ours = message(ExportTraceServiceRequest.FromString(encoded([span])))
    names = [one.key for one in ours.resource_spans[0].scope_spans[0].spans[0].attributes]
    assert len(names) == len(set(names))
    assert ours == message(encode_spans([span]))


# -- rrq.job --------------------------------------------------------------------------------

ORDINARY = [
    attempt(),
    attempt({}),
    attempt(attributes={"tenant": "acme", "order": 7, "paid": True, "price": 0.5}),
    attempt(job_id="ž" * 45),
    attempt(job_id="-" * 45),
    attempt(job_id="x" * 20_000),
]

EXTRAORDINARY = [
    attempt(WITH_STATE),
    attempt(previous=6),
    attempt(attributes={"rrq.queue": "mine", "rrq.job_id": "mine"}),
    attempt(outcome="retry", reason="retry", retry_delay_ms=50.0, error_message="later"),
    attempt(outcome="dlq", reason="error", error_message="e" * 2000, error_type="ValueError"),
    attempt(outcome="timeout", reason="timeout", is_dead_lettered=True, error_message="late"),
    attempt(outcome="lost", reason=None),
    attempt(outcome="cancelled", reason="cancel"),
]


@pytest.mark.parametrize("one", ORDINARY + EXTRAORDINARY)
def test_the_span_of_an_attempt_is_exported_as_opentelemetry_would(one: Attempt) -> None:
    traced = Traced()
    traced.backend.attempt(one)
    assert (traced.span.encoded() is not None) is (one in ORDINARY)
    assert_same(traced.span)


def test_the_span_of_an_attempt_has_everything_that_is_known_of_it() -> None:
    traced = Traced()
    traced.backend.attempt(attempt(attributes={"tenant": "acme"}))
    [of_resource] = ExportTraceServiceRequest.FromString(encoded([traced.span])).resource_spans
    [of_scope] = of_resource.scope_spans
    [span] = of_scope.spans
    assert (of_scope.scope.name, span.name, span.kind) == ("rrq", "rrq.job", 5)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert len(span.span_id) == 8
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_500_000
    assert {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
    } == {
        "messaging.system": "redis",
        "messaging.destination.name": "default",
        "messaging.destination_kind": "queue",
        "messaging.operation": "process",
        "messaging.operation.type": "process",
        "messaging.operation.name": "run",
        "messaging.message.id": "j1",
        "span.kind": "consumer",
        "rrq.queue": "default",
        "rrq.function": "sell",
        "rrq.worker_id": "w1",
        "rrq.executor": "python",
        "rrq.attempt": 1,
        "rrq.timeout_seconds": 300.0,
        "rrq.outcome": "success",
        "rrq.reason": "success",
        "rrq.job_id": "j1",
        "rrq.queue_delay_ms": 12.346,
        "rrq.duration_ms": 2.5,
        "tenant": "acme",
    }


# -- rrq.executor ---------------------------------------------------------------------------


@pytest.mark.parametrize("attributes", [{}, {"tenant": "acme"}])
def test_the_span_of_a_handler_that_left_it_alone_is_exported_as_opentelemetry_would(
    attributes: dict[str, Any],
) -> None:
    traced = Traced()
    with traced.handler(**attributes) as span:
        assert span.is_recording()
        assert span.get_span_context().trace_id == int(TRACE, 16)
    assert traced.span.encoded() is not None
    assert_same(traced.span)
    assert attributes.items() <= dict(traced.span.attributes or {}).items()


@pytest.mark.parametrize(
    ("headers", "attributes"),
    [(WITH_STATE, {}), (SAMPLED, {"rrq.queue": "mine"}), (SAMPLED, {"rrq.job_id": "mine"})],
)
def test_a_handlers_span_with_a_trace_state_or_names_of_rrqs_is_exported_whole(
    headers: dict[str, str], attributes: dict[str, Any]
) -> None:
    traced = Traced()
    with traced.handler(headers, **attributes):
        pass
    assert traced.span.encoded() is None
    assert_same(traced.span)


def test_what_a_handler_does_with_its_span_is_exported_as_opentelemetry_would() -> None:
    traced = Traced()
    with traced.handler(tenant="acme") as span:
        span.set_attributes({"order": 7, "rrq.function": "renamed"})
        span.add_event("sold", {"price": 0.5})
        span.add_link(SpanContext(1, 2, True, TraceFlags(1)), {"why": "again"})
        span.record_exception(ValueError("boom"))
        span.set_status(StatusCode.ERROR, "bad")
        span.update_name("sell tea")
    assert_same(traced.span)
    attributes = traced.span.attributes or {}
    assert (traced.span.name, attributes["order"], attributes["tenant"]) == ("sell tea", 7, "acme")
    assert (attributes["rrq.function"], attributes["rrq.outcome"]) == ("renamed", "success")
    assert [event.name for event in traced.span.events] == ["sold", "exception"]
    assert traced.span.status.description == "bad"
    assert len(traced.span.links) == 1


@pytest.mark.parametrize(
    ("error", "stopped_by"),
    [(ValueError("boom"), None), (RetryJob("later"), None), (OSError(), "cancel")],
)
def test_a_handler_that_did_not_succeed_is_exported_as_opentelemetry_would(
    error: Exception, stopped_by: str | None
) -> None:
    traced = Traced()
    with pytest.raises(type(error)), traced.handler(stopped_by=stopped_by):
        raise error
    assert_same(traced.span)


def test_a_handler_may_end_its_span_itself_and_it_is_exported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    traced = Traced()
    with traced.handler() as span:
        span.end(5)
        span.set_attribute("late", True)
        assert not span.is_recording()
    assert traced.span.end_time == 5
    assert "late" not in (traced.span.attributes or {})
    assert "Calling end() on an ended span." in caplog.messages


def test_the_limits_hold_for_what_a_handler_sets_and_not_for_rrqs_attributes() -> None:
    traced = Traced(SpanLimits(max_span_attributes=2, max_events=1, max_span_attribute_length=3))
    with traced.handler() as span:
        for number in range(3):
            span.set_attribute(f"a{number}", "long text")
            span.add_event(f"e{number}")
    attributes = traced.span.attributes or {}
    assert (attributes["a1"], attributes["a2"]) == ("lon", "lon")
    assert "a0" not in attributes
    assert attributes["rrq.function"] == "sell"
    assert (traced.span.dropped_attributes, traced.span.dropped_events) == (1, 2)
    assert_same(traced.span)


def test_a_processor_sees_a_handlers_span_start_below_its_parent() -> None:
    seen: list[tuple[int, int]] = []

    class Watching(SpanProcessor):
        def on_start(self, span: Span, parent_context: Any = None) -> None:
            parent = trace.get_current_span(parent_context).get_span_context()
            seen.append((parent.span_id, span.get_span_context().span_id))
            span.set_attribute("watched", True)

    from rrq_otel.processing import Processors

    processors, kept = Processors(), Keeping()
    provider = TracerProvider(shutdown_on_exit=False, active_span_processor=processors)
    provider.add_span_processor(kept)
    assert not processors.watches_starts
    provider.add_span_processor(Watching())
    traced = Traced()
    traced.backend = OTelTelemetry(Providers(provider))
    with traced.handler() as span:
        own = span.get_span_context().span_id
    assert seen == [(int(PARENT, 16), own)]
    [ended] = kept.ended
    assert (ended.attributes or {})["watched"] is True


def test_threads_that_use_a_span_at_once_lose_nothing() -> None:
    from concurrent.futures import ThreadPoolExecutor

    traced = Traced()
    with traced.handler() as span, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: span.set_attribute(f"a{number}", number), range(64)))
    attributes = traced.span.attributes or {}
    assert [attributes[f"a{number}"] for number in range(64)] == list(range(64))


def test_who_prints_a_span_sees_all_of_it() -> None:
    traced = Traced()
    with traced.handler():
        pass
    assert '"rrq.queue": "default"' in traced.span.to_json()
    assert f'"parent_id": "0x{PARENT}"' in traced.span.to_json()
