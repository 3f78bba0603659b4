"""Spans of the producer and of the handlers in Python, where OpenTelemetry is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext


def span(name: str) -> AbstractContextManager[object]:
    """A span of our own, current while the block runs."""
    try:
        from opentelemetry import trace
    except ImportError:
        return nullcontext()
    return trace.get_tracer("greetings").start_as_current_span(name)


@contextmanager
def exported(service_name: str) -> Iterator[None]:
    """Send the spans of the block to OTEL_EXPORTER_OTLP_ENDPOINT, if that is set.

    The executor needs none of it: rrq-otel has set up an SDK for it.
    """
    if "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ:
        yield
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service_name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
