"""The attributes of RRQ's spans: OpenTelemetry's conventions for messaging, and RRQ's own.

The names without `.type` and `.name` are of older conventions; dashboards of RRQ 0.9 use them.
"""

from __future__ import annotations

from typing import Any, Literal

ENQUEUE, JOB, EXECUTOR = "rrq.enqueue", "rrq.job", "rrq.executor"

MOST_ERROR_CHARACTERS = 1024

_OPERATIONS = {"publish": ("send", "enqueue"), "process": ("process", "run")}


def messaging(
    operation: Literal["publish", "process"], queue_name: str, kind: str, service_name: str | None
) -> dict[str, Any]:
    """What every span has."""
    operation_type, operation_name = _OPERATIONS[operation]
    attributes = {
        "messaging.system": "redis",
        "messaging.destination.name": queue_name,
        "messaging.destination_kind": "queue",
        "messaging.operation": operation,
        "messaging.operation.type": operation_type,
        "messaging.operation.name": operation_name,
        "rrq.queue": queue_name,
        "span.kind": kind,
    }
    if service_name:
        attributes["service.name"] = service_name
    return attributes


def identity(job_id: str) -> dict[str, Any]:
    """Which job it is."""
    return {"messaging.message.id": job_id, "rrq.job_id": job_id}


def short(text: str) -> str:
    """An error's text, bounded."""
    return text if len(text) <= MOST_ERROR_CHARACTERS else text[: MOST_ERROR_CHARACTERS - 1] + "…"
