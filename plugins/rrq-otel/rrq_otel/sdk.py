"""`Providers`: OpenTelemetry's SDK from the standard variables, for processes without application.

Nothing global is touched here; what is to be global in an executor process, `backend` says.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from rrq.telemetry.complaints import OnceAMinute
from rrq_otel.exporting import NoSuchExporter, log_exporter, metric_exporter, span_exporter

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

Signal = Literal["traces", "metrics", "logs"]

QUEUED_SPANS = 16_384
BATCH_SPANS = 1_024
SEND_EVERY_MS = 1_000
"""RRQ's defaults where `OTEL_BSP_*` says nothing: OpenTelemetry's are for a tenth of the load."""

logger = logging.getLogger("rrq.telemetry")


@dataclass(frozen=True, slots=True)
class Providers:
    """What was set up; None for a signal that is not exported."""

    traces: TracerProvider | None = None
    metrics: MeterProvider | None = None
    logs: LoggerProvider | None = None

    def __bool__(self) -> bool:
        return any((self.traces, self.metrics, self.logs))

    def flush(self, timeout_seconds: float) -> None:
        """Send what is held. It may take longer: OpenTelemetry's SDK does not keep to the time."""
        deadline = time.monotonic() + timeout_seconds
        for provider in (self.traces, self.metrics, self.logs):
            if provider is not None:
                left_ms = int(max(0.1, deadline - time.monotonic()) * 1000)
                provider.force_flush(left_ms)


def exporter_names(signal: Signal, environment: Mapping[str, str]) -> list[str]:
    """Which exporters of a signal the environment asks for; none if it says nothing.

    Without `OTEL_*_EXPORTER`, an endpoint asks for OTLP; for logs only one that is theirs.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    upper = signal.upper()
    named = environment.get(f"OTEL_{upper}_EXPORTER", "").strip()
    if named:
        names = [name.strip() for name in named.split(",")]
        return [name for name in names if name and name != "none"]
    endpoints = [f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT"]
    if signal != "logs":
        endpoints.append("OTEL_EXPORTER_OTLP_ENDPOINT")
    return ["otlp"] if any(environment.get(name) for name in endpoints) else []


def set_up(service_name: str) -> Providers:
    """Providers for the signals that the environment asks for."""
    environment = os.environ
    made: dict[Signal, Any] = {}
    makers: dict[Signal, Callable[[Resource, list[Any]], Any]] = {
        "traces": _tracer_provider,
        "metrics": _meter_provider,
        "logs": _logger_provider,
    }
    by_name: dict[Signal, Callable[[str], Any]] = {
        "traces": span_exporter,
        "metrics": metric_exporter,
        "logs": log_exporter,
    }
    resource: Resource | None = None
    for signal, make in makers.items():
        exporters = []
        for name in exporter_names(signal, environment):
            try:
                exporters.append(by_name[signal](name))
            except (NoSuchExporter, ImportError) as error:
                logger.warning("OpenTelemetry: no %s: %s", signal, error)
        if exporters:
            resource = resource or _resource(service_name, environment)
            made[signal] = make(resource, exporters)
    if made:
        _quieten()
    return Providers(made.get("traces"), made.get("metrics"), made.get("logs"))


def _resource(service_name: str, environment: Mapping[str, str]) -> Resource:
    from opentelemetry.sdk.resources import Resource

    said = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    attributes: dict[str, Any] = {"process.pid": os.getpid()}
    if "service.name=" not in said and not environment.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = service_name
    if "service.instance.id=" not in said:
        # Without it the metrics of several workers could not be told apart.
        attributes["service.instance.id"] = str(uuid4())
    return Resource.create(attributes)


def _tracer_provider(resource: Resource, exporters: list[Any]) -> TracerProvider:
    from opentelemetry.sdk.trace import TracerProvider

    from rrq_otel.processing import Processors

    # At exit it would wait for the collector for as long as that takes.
    provider = TracerProvider(
        resource=resource, shutdown_on_exit=False, active_span_processor=Processors()
    )
    for exporter in exporters:
        provider.add_span_processor(_span_processor(exporter, resource))
    return provider


def _span_processor(exporter: Any, resource: Resource) -> SpanProcessor:
    from rrq_otel.exporting import takes_written_spans

    queue_spans = _number("OTEL_BSP_MAX_QUEUE_SIZE", QUEUED_SPANS)
    batch_spans = min(queue_spans, _number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SPANS))
    every_ms = _number("OTEL_BSP_SCHEDULE_DELAY", SEND_EVERY_MS)
    if takes_written_spans(exporter):
        from rrq_otel.batches import SpanBatches
        from rrq_otel.tracing import scope

        return SpanBatches(
            exporter,
            resource=resource,
            scope=scope(),
            queue_spans=queue_spans,
            batch_spans=batch_spans,
            every_seconds=every_ms / 1000,
        )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(
        exporter,
        max_queue_size=queue_spans,
        max_export_batch_size=batch_spans,
        schedule_delay_millis=every_ms,
    )


def _meter_provider(resource: Resource, exporters: list[Any]) -> MeterProvider:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader

    from rrq_otel.histograms import CountingMeterProvider, takes_own_histograms

    if takes_own_histograms(exporters):
        return CountingMeterProvider(exporters, resource)
    readers = [
        one if isinstance(one, MetricReader) else PeriodicExportingMetricReader(one)
        for one in exporters
    ]
    return MeterProvider(readers, resource, shutdown_on_exit=False)


def _logger_provider(resource: Resource, exporters: list[Any]) -> LoggerProvider:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


def _number(variable: str, ours: int) -> int:
    """What a variable says, if it is a number above 0; else what RRQ takes."""
    said = os.environ.get(variable, "").strip()
    if not said:
        return ours
    if said.isdecimal() and int(said) > 0:
        return int(said)
    logger.warning("OpenTelemetry: %s=%r is no number above 0; %d counts", variable, said, ours)
    return ours


def _quieten() -> None:
    """A collector that is down costs one line a minute, not one a batch with a traceback."""
    for name in _EXPORTING_LOGGERS:
        _OneLine().add_to([name])


class _OneLine(OnceAMinute):
    def told(self, why: str, error: BaseException | None) -> str:
        return why if error is None else f"{why} {error!r:.300}"


_EXPORTING_LOGGERS = (
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.sdk.metrics._internal.export",
    "opentelemetry.sdk._logs._internal.export",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
