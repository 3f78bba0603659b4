"""`export_logs`: the log of a process over OTLP, each record with the ids of its job's span."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider

_NOT_EXPORTED = ("opentelemetry", "urllib3", "requests", "grpc")
"""What the exporters themselves log would make another record, and so on."""


def export_logs(provider: LoggerProvider) -> None:
    """Send what this process logs to a provider, beside where it goes already."""
    from opentelemetry.sdk._logs import LoggingHandler

    class JobLogs(LoggingHandler):
        """Knows the job of a record that RRQ's worker wrote."""

        def emit(self, record: logging.LogRecord) -> None:
            if record.name.partition(".")[0] in _NOT_EXPORTED:
                return
            fields: dict[str, Any] | None = getattr(record, "fields", None)
            if fields is None:
                super().emit(record)
                return
            flat = logging.makeLogRecord({**record.__dict__, **_attributes(fields)})
            del flat.fields  # type: ignore[attr-defined]  # an attribute of this record alone
            span = _span_of(fields)
            if span is None:
                super().emit(flat)
                return
            token = contexts.attach(trace.set_span_in_context(NonRecordingSpan(span)))
            try:
                super().emit(flat)
            finally:
                contexts.detach(token)

    root = logging.getLogger()
    if not any(type(handler).__name__ == "JobLogs" for handler in root.handlers):
        if not root.handlers and logging.lastResort:
            # It serves only who has no handler, and its lines shall not vanish from stderr.
            root.addHandler(logging.lastResort)
        root.addHandler(JobLogs(logging.NOTSET, provider))


def _attributes(fields: dict[str, Any]) -> dict[str, Any]:
    ids = ("trace_id", "span_id", "trace_flags")
    return {f"rrq.{name}": value for name, value in fields.items() if name not in ids}


def _span_of(fields: dict[str, Any]) -> SpanContext | None:
    try:
        span = SpanContext(
            int(fields["trace_id"], 16),
            int(fields["span_id"], 16),
            False,
            TraceFlags(int(fields.get("trace_flags", "01"), 16)),
        )
    except (KeyError, ValueError):
        return None
    return span if span.is_valid else None
