"""The SDK from the standard variables, and what it does when the collector takes nothing."""

from __future__ import annotations

import importlib
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from rrq_otel import exporting, sdk
from rrq_otel.exporting import LeanHttpExporter, NoSuchExporter, span_exporter
from rrq_otel.sdk import Providers, exporter_names, set_up
from tests.support.waiting import eventually_blocking

from .receiver import Receiver, grpc_receiver, http_receiver


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of OpenTelemetry is configured from outside."""
    import os

    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@contextmanager
def providers(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Providers]:
    for name, value in receiver.environment(OTEL_EXPORTER_OTLP_TIMEOUT="2").items():
        monkeypatch.setenv(name, value)
    made = set_up("shop")
    assert made.traces is not None
    assert made.metrics is not None
    yield made
    made.traces.shutdown()
    made.metrics.shutdown()


@pytest.mark.parametrize("kind", [http_receiver, grpc_receiver])
def test_spans_and_metrics_arrive_over_http_and_grpc(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kind() as receiver, providers(receiver, monkeypatch) as made:
        assert made.traces is not None
        assert made.metrics is not None
        made.metrics.get_meter("test").create_counter("sold").add(2, {"what": "tea"})
        with made.traces.get_tracer("test").start_as_current_span("sell") as span:
            span.set_attribute("what", "tea")
        made.flush(5)
    [seen] = receiver.spans
    assert (seen.name, seen.attributes, seen.scope) == ("sell", {"what": "tea"}, "test")
    assert seen.resource["service.name"] == "shop"
    assert [point.value for point in receiver.metrics["sold"]][:1] == [2]
    assert made.logs is None


def test_requests_are_compressed_if_the_variables_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    with http_receiver() as receiver, providers(receiver, monkeypatch) as made:
        assert made.traces is not None
        made.traces.get_tracer("test").start_span("sell").end()
        made.flush(5)
    assert [span.name for span in receiver.spans] == ["sell"]


def test_the_environment_names_the_service_before_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=web,deployment.environment=dev")
    made = set_up("shop")
    assert made.traces is not None
    assert made.metrics is None
    attributes = made.traces.resource.attributes
    assert (attributes["service.name"], attributes["deployment.environment"]) == ("web", "dev")
    made.traces.shutdown()


@pytest.mark.parametrize(
    ("environment", "signals"),
    [
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, ["traces", "metrics"]),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://c"}, ["logs"]),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["traces"]),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"},
            ["traces"],
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_LOGS_EXPORTER": "otlp"},
            ["traces", "metrics", "logs"],
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_which_signals_the_variables_ask_for(
    environment: dict[str, str], signals: list[str]
) -> None:
    asked = [
        signal for signal in ("traces", "metrics", "logs") if exporter_names(signal, environment)
    ]
    assert asked == signals


def test_an_exporter_that_is_not_there_is_told_of_and_the_rest_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "carrier-pigeon,console")
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        made = set_up("shop")
    assert made.traces is not None
    made.traces.shutdown()
    assert [record.getMessage() for record in caplog.records] == [
        "OpenTelemetry: no traces: no exporter of traces is called 'carrier-pigeon'"
    ]


def test_a_protocol_that_is_not_known_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(NoSuchExporter, match=r"'http/json' is not known: http/protobuf or grpc"):
        span_exporter("otlp")


def test_exported_logs_stay_on_stderr_too_and_carry_the_ids_of_their_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    from rrq_otel.logs import export_logs

    exported: list[Any] = []

    class Keeping:
        def export(self, batch: list[Any]) -> None:
            exported.extend(batch)

        def shutdown(self) -> None:
            pass

    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(Keeping()))  # type: ignore[arg-type]
    export_logs(provider)
    export_logs(provider)
    fields = {"job_id": "j1", "trace_id": "0a" * 16, "span_id": "0b" * 8}
    logging.getLogger("shop").warning("sold out", extra={"fields": fields})
    logging.getLogger("opentelemetry.sdk").warning("not this one")
    [one] = exported
    assert one.log_record.body == "sold out"
    assert f"{one.log_record.trace_id:032x}" == "0a" * 16
    assert one.log_record.attributes["rrq.job_id"] == "j1"
    assert logging.lastResort in logging.getLogger().handlers


# -- a collector that does not take it ----------------------------------------------------


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses between tries, and an early end of them."""
    monkeypatch.setattr(exporting, "FIRST_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(exporting, "GIVE_UP_SECONDS", 0.2)


def lean_exporter(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> LeanHttpExporter:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    exporter = span_exporter("otlp")
    assert isinstance(exporter, LeanHttpExporter)
    return exporter


@pytest.mark.usefixtures("patience")
def test_a_batch_is_sent_again_while_the_collector_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http_receiver() as receiver:
        receiver.failing = [503, 429]
        exporter = lean_exporter(monkeypatch, receiver.endpoint)
        assert exporter.export([]) is SpanExportResult.SUCCESS
    assert (receiver.failing, receiver.requests) == ([], {"traces": 1})


@pytest.mark.usefixtures("patience")
def test_a_refused_batch_is_not_sent_again_and_told_of_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with http_receiver() as receiver, caplog.at_level(logging.WARNING, "rrq.telemetry"):
        receiver.failing = [400, 400]
        exporter = lean_exporter(monkeypatch, receiver.endpoint)
        assert exporter.export([]) is SpanExportResult.FAILURE
        assert exporter.export([]) is SpanExportResult.FAILURE
    assert receiver.requests == {}
    [complaint] = [record.getMessage() for record in caplog.records]
    assert complaint.startswith("OTLP: 0 spans could not be sent and are lost: HTTP 400")


@pytest.mark.usefixtures("patience")
def test_a_collector_that_is_down_costs_a_batch_and_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        exporter = lean_exporter(monkeypatch, f"http://127.0.0.1:{unheard.getsockname()[1]}")
        with caplog.at_level(logging.WARNING, "rrq.telemetry"):
            assert exporter.export([]) is SpanExportResult.FAILURE
    [complaint] = [record.getMessage() for record in caplog.records]
    assert "Connection refused" in complaint


def test_an_exporter_that_is_shut_down_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Thread

    with http_receiver() as receiver:
        receiver.failing = [503] * 100
        exporter = lean_exporter(monkeypatch, receiver.endpoint)
        thread = Thread(target=exporter.export, args=([],))
        began = time.monotonic()
        thread.start()
        eventually_blocking(lambda: len(receiver.failing) < 100)
        exporter.shutdown()
        thread.join(5)
    assert not thread.is_alive()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("signal", ["trace_exporter", "metric_exporter", "_log_exporter"])
def test_an_exporter_of_opentelemetry_itself_complains_once_a_minute(
    signal: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"opentelemetry.exporter.otlp.proto.http.{signal}")
    monkeypatch.setattr(module._logger, "filters", [])
    sdk._quieten()

    for attempt in range(3):
        module._logger.warning("Transient error, attempt %d", attempt)

    assert [record.getMessage() for record in caplog.records] == ["Transient error, attempt 0"]
