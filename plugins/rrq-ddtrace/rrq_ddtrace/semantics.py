"""The tags of RRQ's spans: RRQ's own names, and those that Datadog's pages are built on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ddtrace.trace import Context, Span, Tracer

    from rrq.telemetry import Scalar

ENQUEUE, JOB, EXECUTOR = "rrq.enqueue", "rrq.job", "rrq.executor"

SPAN_TYPE = "worker"
"""Datadog's type of spans of background work."""

MOST_ERROR_CHARACTERS = 1024

_OPERATIONS = {"publish": ("send", "enqueue"), "process": ("process", "run")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Under which names RRQ's spans appear; None is what ddtrace is configured to.

    Attributes:
        component: their tag `component`.
    """

    service: str | None = None
    env: str | None = None
    version: str | None = None
    component: str = "rrq"

    def effective_service(self) -> str | None:
        """The service of a span that begins in this process."""
        if self.service is not None:
            return self.service
        from ddtrace import config

        service: str | None = config.service
        return service

    def tags(self) -> dict[str, str]:
        """What each of RRQ's spans has."""
        from ddtrace import config

        tags = {
            "component": self.component,
            "env": self.env or config.env,
            "version": self.version or config.version,
        }
        return {name: text for name, text in tags.items() if text}


def started(
    tracer: Tracer,
    identity: Identity,
    name: str,
    parent: Span | Context | None,
    function_name: str,
) -> Span:
    """A span of RRQ's, not the current one."""
    span = tracer.start_span(
        name,
        child_of=parent,
        service=identity.service,
        resource=function_name,
        span_type=SPAN_TYPE,
    )
    tags = identity.tags()
    if span.service:
        tags["service.name"] = span.service
    span.set_tags({**tags, "rrq.function": function_name})
    return span


def messaging(
    operation: Literal["publish", "process"], queue_name: str, kind: str, job_id: str
) -> dict[str, Scalar]:
    """What all spans have that concern a job."""
    operation_type, operation_name = _OPERATIONS[operation]
    return {
        "messaging.system": "redis",
        "messaging.destination.name": queue_name,
        "messaging.destination_kind": "queue",
        "messaging.operation": operation,
        "messaging.operation.type": operation_type,
        "messaging.operation.name": operation_name,
        "messaging.message.id": job_id,
        "rrq.queue": queue_name,
        "rrq.job_id": job_id,
        "span.kind": kind,
    }


def tag(span: Span, tags: Mapping[str, Scalar]) -> None:
    """Set tags; numbers become metrics of the span."""
    for name, value in tags.items():
        if isinstance(value, bool):
            span.set_tag(name, str(value).lower())
        elif isinstance(value, str):
            span.set_tag(name, value)
        else:
            span.set_metric(name, value)


def fail(span: Span, kind: str, message: str) -> None:
    """Mark a span as an error without a traceback: it happened in another process."""
    span.error = 1
    span.set_tag("error.type", kind)
    span.set_tag("error.message", short(message))


def short(text: str) -> str:
    """An error's text, bounded."""
    return text if len(text) <= MOST_ERROR_CHARACTERS else text[: MOST_ERROR_CHARACTERS - 1] + "…"


def root(trace_id: int, like: Context | None = None) -> Context:
    """The context of a first span in a trace, with the sampling decision of another context."""
    from ddtrace.trace import Context

    if like is None:
        return Context(trace_id=trace_id)
    decided_by = {name: text for name, text in like._meta.items() if name.startswith("_dd.p.dm")}
    return Context(trace_id=trace_id, sampling_priority=like.sampling_priority, meta=decided_by)
