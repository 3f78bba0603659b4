"""Spans on their way to the exporter: in batches, within limits, whatever the collector does."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry import context as contexts
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from rrq_otel import sdk, wire
from rrq_otel.batches import SpanBatches
from rrq_otel.lean_span import LeanSpan
from rrq_otel.processing import Processors
from rrq_otel.request import count, encoded
from rrq_otel.tracing import scope
from tests.support.waiting import eventually_blocking

NEVER_SECONDS = 3600.0


class Kept(SpanExporter):
    """Decodes what it is given, once it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.let_go.set()
        self.has_begun = threading.Event()
        self.batches: list[list[str]] = []
        self.scopes: set[str] = set()
        self.errors: list[Exception] = []
        self.were_suppressed: list[bool] = []
        self.is_shut_down = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.has_begun.set()
        self.let_go.wait()
        if self.errors:
            raise self.errors.pop()
        self.were_suppressed.append(bool(contexts.get_value(_SUPPRESS_INSTRUMENTATION_KEY)))
        names = []
        for of_resource in ExportTraceServiceRequest.FromString(encoded(spans)).resource_spans:
            for of_scope in of_resource.scope_spans:
                self.scopes.add(of_scope.scope.name)
                names += [span.name for span in of_scope.spans]
        assert count(spans) == len(names)
        self.batches.append(names)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.is_shut_down = True

    @property
    def names(self) -> list[str]:
        return [name for batch in self.batches for name in batch]


def batches(exporter: Kept, *, every_seconds: float = NEVER_SECONDS, **limits: int) -> SpanBatches:
    sizes = {"queue_spans": 100, "batch_spans": 50, **limits}
    return SpanBatches(
        exporter,
        resource=Resource({"service.name": "shop"}),
        scope=scope(),
        every_seconds=every_seconds,
        **sizes,
    )


def written(name: str) -> bytes:
    """A span of which only the name is there."""
    return wire.text(0x2A, name)


def tracer(processor: SpanBatches) -> Any:
    provider = TracerProvider(shutdown_on_exit=False, active_span_processor=Processors())
    provider.add_span_processor(processor)
    return provider.get_tracer("handlers")


def test_spans_go_when_a_batch_is_full_and_the_rest_when_it_is_flushed() -> None:
    exporter = Kept()
    waiting = batches(exporter, batch_spans=3)
    for number in range(5):
        waiting.take(written(f"s{number}"))
    eventually_blocking(lambda: exporter.batches == [["s0", "s1", "s2"]])
    assert waiting.force_flush(5000)
    assert exporter.batches[1:] == [["s3", "s4"]]
    assert exporter.scopes == {"rrq"}
    assert exporter.were_suppressed == [True, True]


def test_spans_go_after_a_while_though_their_batch_is_not_full() -> None:
    exporter = Kept()
    batches(exporter, every_seconds=0.02).take(written("alone"))
    eventually_blocking(lambda: exporter.names == ["alone"])


def test_written_spans_and_those_of_the_sdk_go_together_each_under_its_scope() -> None:
    exporter = Kept()
    waiting = batches(exporter)
    tracer(waiting).start_span("of a handler").end()
    waiting.take(written("rrq.executor"))
    assert waiting.force_flush()
    assert sorted(exporter.names) == ["of a handler", "rrq.executor"]
    assert exporter.scopes == {"handlers", "rrq"}
    assert len(exporter.batches) == 1


class Named(LeanSpan):
    """A span of which only the name is there, if anything."""

    def __init__(self, name: str) -> None:
        self._name = name

    def encoded(self) -> bytes | None:
        return written(self._name)


async def test_a_span_that_is_to_be_written_later_waits_for_the_loops_turn_or_a_flush() -> None:
    exporter = Kept()
    waiting = batches(exporter)
    for name in ("a", "b"):
        waiting.write_later(Named(name))
    assert waiting._written == []
    await asyncio.sleep(0)
    assert len(waiting._written) == 2
    waiting.write_later(Named("c"))
    assert waiting.force_flush()
    assert exporter.names == ["a", "b", "c"]
    waiting.write_later(Named("d"))
    waiting.shutdown()
    assert exporter.names == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kind", ["written", "of the sdk"])
def test_what_is_more_than_may_wait_is_dropped_counted_and_told_once_a_minute(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = Kept()
    waiting = batches(exporter, queue_spans=10, batch_spans=2)
    made = tracer(waiting)

    def add(name: str) -> None:
        if kind == "written":
            waiting.take(written(name))
        else:
            made.start_span(name).end()

    exporter.let_go.clear()
    add("a0")
    add("a1")
    assert exporter.has_begun.wait(20)
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        for number in range(25):
            add(f"b{number}")
        exporter.let_go.set()
        eventually_blocking(lambda: bool(caplog.records))
        assert waiting.force_flush()
    assert exporter.names == ["a0", "a1", *(f"b{number}" for number in range(10))]
    assert [record.getMessage() for record in caplog.records] == [
        "OpenTelemetry: 15 spans were dropped, as more than 10 waited (OTEL_BSP_MAX_QUEUE_SIZE)"
    ]


def test_a_collector_that_hangs_holds_up_nobody_and_a_flush_until_its_time_is_over() -> None:
    exporter = Kept()
    waiting = batches(exporter, batch_spans=1)
    exporter.let_go.clear()
    waiting.take(written("first"))
    assert exporter.has_begun.wait(20)
    waiting.take(written("second"))
    assert not waiting.force_flush(50)
    exporter.let_go.set()
    assert waiting.force_flush(5000)
    assert exporter.names == ["first", "second"]


def test_an_exporter_that_raises_costs_its_batch(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Kept()
    exporter.errors = [ValueError("no")]
    waiting = batches(exporter)
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        waiting.take(written("lost"))
        assert waiting.force_flush()
        waiting.take(written("kept"))
        assert waiting.force_flush()
    assert exporter.names == ["kept"]
    [complaint] = [record.getMessage() for record in caplog.records]
    assert complaint == "OpenTelemetry: spans could not be exported: ValueError('no')"


def test_the_end_sends_what_waits_and_takes_nothing_more() -> None:
    exporter = Kept()
    waiting = batches(exporter)
    waiting.take(written("last"))
    waiting.shutdown()
    waiting.shutdown()
    waiting.take(written("late"))
    waiting.force_flush()
    assert exporter.is_shut_down
    assert exporter.names[:1] == ["last"]


def test_a_forked_child_sends_its_own_spans_and_not_those_of_its_parent() -> None:
    exporter = Kept()
    waiting = batches(exporter)
    waiting.take(written("of the parent"))
    child = os.fork()
    if child == 0:
        waiting.take(written("of the child"))
        is_sent = waiting.force_flush(5000) and exporter.names == ["of the child"]
        has_thread = any(one.name == "rrq-otel-spans" for one in threading.enumerate())
        os._exit(0 if is_sent and has_thread else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert waiting.force_flush()
    assert exporter.names == ["of the parent"]


def test_spans_that_are_not_sampled_are_not_sent() -> None:
    from opentelemetry.trace import SpanContext

    exporter = Kept()
    waiting = batches(exporter)
    waiting.on_end(ReadableSpan("unsampled", SpanContext(1, 2, is_remote=False)))
    assert waiting.force_flush()
    assert exporter.batches == []


def test_another_processor_beside_it_sees_every_span() -> None:
    processors = Processors()
    only = batches(Kept())
    processors.add_span_processor(only)
    assert processors.batches is only
    processors.add_span_processor(batches(Kept()))
    assert processors.batches is None


@pytest.mark.parametrize("said", ["many", "0", "-5"])
def test_a_variable_that_is_no_number_is_told_of_and_the_default_counts(
    said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", said)
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        assert sdk._number("OTEL_BSP_MAX_QUEUE_SIZE", 7) == 7
    assert [record.getMessage() for record in caplog.records] == [
        f"OpenTelemetry: OTEL_BSP_MAX_QUEUE_SIZE={said!r} is no number above 0; 7 counts"
    ]
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "12")
    assert sdk._number("OTEL_BSP_MAX_QUEUE_SIZE", 7) == 12
