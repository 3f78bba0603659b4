"""A Logfire to send to: knows one token, decodes the spans that it is sent and keeps them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TOKEN = "a-write-token"

TYPE = "logfire.span_type"
"""A pending span tells of one that has not ended yet, and is none itself."""

PROJECT = {"project_name": "shop", "project_url": "http://logfire.invalid/shop"}


@dataclass
class SeenSpan:
    """A span as it arrived; ids are hexadecimal, times nanoseconds."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    attributes: dict[str, Any]
    events: dict[str, dict[str, Any]]
    links: list[str]
    status: str
    service: str


@dataclass
class Receiver:
    """What arrived, in order.

    Attributes:
        base_url: for `LOGFIRE_BASE_URL`.
        refused: how many requests came without the token.
    """

    base_url: str = ""
    spans: list[SeenSpan] = field(default_factory=list)
    refused: int = 0

    def of_job(self, job_id: str, name: str) -> list[SeenSpan]:
        """The spans of that name about one job, by their start."""
        found = [
            span
            for span in list(self.spans)
            if span.name == name and span.attributes.get("rrq.job_id") == job_id
        ]
        return sorted(found, key=lambda span: span.start_ns)

    def named(self, name: str) -> list[SeenSpan]:
        """The spans of that name."""
        return [span for span in list(self.spans) if span.name == name]

    def take(self, body: bytes) -> None:
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _attributes(of_resource.resource.attributes)["service.name"]
            for of_scope in of_resource.scope_spans:
                seen = [_seen(span, service) for span in of_scope.spans]
                self.spans += [one for one in seen if one.attributes[TYPE] != "pending_span"]


@contextmanager
def logfire_server() -> Iterator[Receiver]:
    """A receiver on a port of this machine, until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(json.dumps(PROJECT).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.headers.get("Authorization") != TOKEN:
                receiver.refused += 1
            elif self.path == "/v1/traces":
                receiver.take(body)
            self.answer(b"")

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _seen(span: Any, service: str) -> SeenSpan:
    return SeenSpan(
        name=span.name,
        kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        attributes=_attributes(span.attributes),
        events={event.name: _attributes(event.attributes) for event in span.events},
        links=[link.span_id.hex() for link in span.links],
        status=span.status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        service=service,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
