"""Exporters by the names that `OTEL_*_EXPORTER` may have; those of spans encode them lean."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from rrq.telemetry.complaints import Losses
from rrq_otel.request import count, encoded

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0

GIVE_UP_SECONDS = 10.0
"""How long a batch is tried again; those after it wait meanwhile, up to the processor's queue."""

_TRY_AGAIN = {408, 429, 502, 503, 504}

logger = logging.getLogger("rrq.telemetry")


class NoSuchExporter(Exception):
    """`OTEL_*_EXPORTER` or `OTEL_EXPORTER_OTLP_*PROTOCOL` names what is not there."""


def span_exporter(name: str) -> SpanExporter:
    """The exporter of spans of this name.

    Raises:
        NoSuchExporter: there is none, or its package is not installed.
    """
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if name != "otlp":
        return _by_entry_point("traces", name)  # type: ignore[no-any-return]
    if _protocol("TRACES") == "grpc":
        return _lean_grpc_exporter()
    return _lean_http_exporter()


def takes_written_spans(exporter: object) -> bool:
    """Whether it can be given `WrittenSpans`."""
    return getattr(exporter, "takes_written_spans", False)


def metric_exporter(name: str) -> Any:
    """As `span_exporter`, for metrics; it may be a `MetricReader`."""
    if name == "console":
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

        return ConsoleMetricExporter()
    if name != "otlp":
        return _by_entry_point("metrics", name)
    if _protocol("METRICS") == "grpc":
        return _grpc("metric_exporter").OTLPMetricExporter()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter()


def log_exporter(name: str) -> Any:
    """As `span_exporter`, for logs."""
    if name == "console":
        from opentelemetry.sdk._logs.export import ConsoleLogExporter

        return ConsoleLogExporter()
    if name != "otlp":
        return _by_entry_point("logs", name)
    if _protocol("LOGS") == "grpc":
        return _grpc("_log_exporter").OTLPLogExporter()
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    return OTLPLogExporter()


def _protocol(signal: str) -> str:
    protocol = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or os.environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
    )
    if protocol not in ("grpc", "http/protobuf"):
        raise NoSuchExporter(f"the protocol {protocol!r} is not known: http/protobuf or grpc")
    return protocol


def _grpc(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"opentelemetry.exporter.otlp.proto.grpc.{module}")
    except ModuleNotFoundError:
        raise NoSuchExporter("the protocol grpc needs: pip install 'rrq-otel[grpc]'") from None


def _by_entry_point(signal: str, name: str) -> Any:
    from importlib.metadata import entry_points

    for point in entry_points(group=f"opentelemetry_{signal}_exporter", name=name):
        return point.load()()
    raise NoSuchExporter(f"no exporter of {signal} is called {name!r}")


def _lean_grpc_exporter() -> SpanExporter:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    stock: type[Any] = _grpc("trace_exporter").OTLPSpanExporter

    class LeanGrpcExporter(stock):  # type: ignore[misc]
        takes_written_spans = True

        def _translate_data(self, data: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
            request = ExportTraceServiceRequest()
            request.ParseFromString(encoded(data))
            return request

    exporter: SpanExporter = LeanGrpcExporter()
    return exporter


def _lean_http_exporter() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    # All that it reads from the environment, and its connection, are taken from OpenTelemetry's.
    stock = OTLPSpanExporter()
    send = getattr(stock, "_export", None)
    return LeanHttpExporter(stock, send) if send is not None else stock


class LeanHttpExporter(SpanExporter):
    """Sends batches of spans, tries again for a while, and complains at most once a minute.

    Args:
        stock: OpenTelemetry's exporter, which has the connection.
        send: its method that posts a request.
    """

    takes_written_spans = True

    def __init__(self, stock: Any, send: Any) -> None:
        self._stock = stock
        self._send = send
        self._ending = threading.Event()
        self._lost = Losses()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; it is lost if the collector does not take it within ten seconds."""
        body = encoded(spans)
        deadline = time.monotonic() + GIVE_UP_SECONDS
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            why, is_final = self._post(body)
            if why is None:
                return SpanExportResult.SUCCESS
            pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)
            pause_seconds *= random.uniform(0.5, 1.0)
            if is_final or time.monotonic() + pause_seconds > deadline:
                break
            if self._ending.wait(pause_seconds):
                break
        self._complain(count(spans), why)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Try nothing again from now on."""
        self._ending.set()
        self._stock.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held here."""
        return True

    def _post(self, body: bytes) -> tuple[str | None, bool]:
        """Why it was not taken, None if it was; and whether another try is of no use."""
        try:
            response = self._send(body)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:300], False
        if response.ok:
            return None, True
        return f"HTTP {response.status_code} {response.text[:200]}", (
            response.status_code not in _TRY_AGAIN
        )

    def _complain(self, spans: int, why: str) -> None:
        self._lost.add(spans)
        if (lost := self._lost.to_tell()) is not None:
            logger.warning("OTLP: %d spans could not be sent and are lost: %s", lost, why)
