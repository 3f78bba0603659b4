"""A collector: takes OTLP over HTTP or gRPC, decodes the protobufs and keeps what was in them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass
class SeenEvent:
    name: str
    attributes: dict[str, Any]


@dataclass
class SeenSpan:
    """A span as it arrived; ids are hexadecimal, times nanoseconds."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    events: list[SeenEvent]
    links: list[str]
    status: str
    status_text: str
    resource: dict[str, Any]
    scope: str

    @property
    def event_names(self) -> list[str]:
        return [event.name for event in self.events]


@dataclass
class SeenPoint:
    """A figure of a metric: the value, or for a histogram the count and the sum."""

    attributes: dict[str, Any]
    value: float
    sum: float = 0.0
    bounds: tuple[float, ...] = ()


@dataclass
class SeenLog:
    text: str
    severity: str
    trace_id: str
    span_id: str
    attributes: dict[str, Any]


@dataclass
class Receiver:
    """What arrived, in order.

    Attributes:
        endpoint: for `OTEL_EXPORTER_OTLP_ENDPOINT`.
        protocol: for `OTEL_EXPORTER_OTLP_PROTOCOL`.
        requests: how many requests there were, by kind.
        failing: HTTP statuses to answer the next requests with.
    """

    endpoint: str = ""
    protocol: str = "http/protobuf"
    spans: list[SeenSpan] = field(default_factory=list)
    logs: list[SeenLog] = field(default_factory=list)
    metrics: dict[str, list[SeenPoint]] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    failing: list[int] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        """The variables that send a process's telemetry here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            **more,
        }

    def of_job(self, job_id: str, name: str = "rrq.job") -> list[SeenSpan]:
        """The spans of that name about one job, by their start."""
        found = [
            span
            for span in list(self.spans)
            if span.name == name and span.attributes.get("rrq.job_id") == job_id
        ]
        return sorted(found, key=lambda span: span.start_ns)

    def take_traces(self, request: ExportTraceServiceRequest) -> None:
        for of_resource in request.resource_spans:
            resource = _attributes(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    self.spans.append(
                        SeenSpan(
                            name=span.name,
                            kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                            trace_id=span.trace_id.hex(),
                            span_id=span.span_id.hex(),
                            parent_id=span.parent_span_id.hex(),
                            start_ns=span.start_time_unix_nano,
                            end_ns=span.end_time_unix_nano,
                            attributes=_attributes(span.attributes),
                            events=[
                                SeenEvent(event.name, _attributes(event.attributes))
                                for event in span.events
                            ],
                            links=[link.span_id.hex() for link in span.links],
                            status=span.status.StatusCode.Name(span.status.code).removeprefix(
                                "STATUS_CODE_"
                            ),
                            status_text=span.status.message,
                            resource=resource,
                            scope=of_scope.scope.name,
                        )
                    )

    def take_metrics(self, request: ExportMetricsServiceRequest) -> None:
        for of_resource in request.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    self.metrics.setdefault(metric.name, []).extend(_points(metric))

    def take_logs(self, request: ExportLogsServiceRequest) -> None:
        for of_resource in request.resource_logs:
            for of_scope in of_resource.scope_logs:
                for record in of_scope.log_records:
                    self.logs.append(
                        SeenLog(
                            text=record.body.string_value,
                            severity=record.severity_text,
                            trace_id=record.trace_id.hex(),
                            span_id=record.span_id.hex(),
                            attributes=_attributes(record.attributes),
                        )
                    )

    def take(self, kind: str, body: bytes) -> bytes:
        """Take a request of one kind, and answer it."""
        request_type, response_type = _TYPES[kind]
        self.requests[kind] = self.requests.get(kind, 0) + 1
        getattr(self, f"take_{kind}")(request_type.FromString(body))
        answer: bytes = response_type().SerializeToString()
        return answer


_TYPES: dict[str, tuple[Any, Any]] = {
    "traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
}


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    """A receiver on a port of this machine, until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = b"".join(self._pieces())
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            status = receiver.failing.pop(0) if receiver.failing else 200
            answer = b""
            if status == 200:
                answer = receiver.take(self.path.removeprefix("/v1/"), body)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _pieces(self) -> Iterator[bytes]:
            """The body; Node sends it in chunks, each with its length before it."""
            if length := self.headers["Content-Length"]:
                yield self.rfile.read(int(length))
                return
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_receiver() -> Iterator[Receiver]:
    """As `http_receiver`, over gRPC."""
    receiver = Receiver(protocol="grpc")
    server = grpc.server(ThreadPoolExecutor(4))
    services = {"traces": "trace.v1.Trace", "metrics": "metrics.v1.Metrics", "logs": "logs.v1.Logs"}
    for kind, service in services.items():

        def take(body: bytes, context: object, kind: str = kind) -> bytes:
            return receiver.take(kind, body)

        method = grpc.unary_unary_rpc_method_handler(take)
        name = f"opentelemetry.proto.collector.{service}Service"
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, {"Export": method})]
        )
    port = server.add_insecure_port("127.0.0.1:0")
    receiver.endpoint = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(0)


def _points(metric: Any) -> Iterator[SeenPoint]:
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points:
        attributes = _attributes(point.attributes)
        if kind == "histogram":
            yield SeenPoint(attributes, point.count, point.sum, tuple(point.explicit_bounds))
        elif kind == "exponential_histogram":
            yield SeenPoint(attributes, point.count, point.sum)
        else:
            yield SeenPoint(attributes, point.as_double or point.as_int)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
