"""The attributes of RRQ's spans: OpenTelemetry's conventions for messaging, RRQ's own, Logfire's.

The names without `.type` and `.name` are of older conventions; dashboards of RRQ 0.9 use them.
"""

from __future__ import annotations

from typing import Any, Literal

ENQUEUE, JOB, EXECUTOR = "rrq.enqueue", "rrq.job", "rrq.executor"

MOST_ERROR_CHARACTERS = 1024

_OPERATIONS = {"publish": ("send", "enqueue"), "process": ("process", "run")}
_VERBS = {ENQUEUE: "enqueue", JOB: "job", EXECUTOR: "run"}
_LEVELS = {"info": 9, "warn": 13, "error": 17}

Level = Literal["info", "warn", "error"]


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


def message(span_name: str, function_name: str) -> dict[str, Any]:
    """What Logfire's list shows of a span: nothing but the function's name, for Logfire does not
    scrub messages."""
    verb = _VERBS[span_name]
    return {
        "rrq.function": function_name,
        "logfire.msg_template": f"{verb} {{rrq.function}}",
        "logfire.msg": f"{verb} {function_name}",
    }


def level(name: Level) -> dict[str, Any]:
    """How grave it is, for Logfire's list; without it, it is info."""
    return {"logfire.level_num": _LEVELS[name]}


def short(text: str) -> str:
    """An error's text, bounded."""
    return text if len(text) <= MOST_ERROR_CHARACTERS else text[: MOST_ERROR_CHARACTERS - 1] + "…"
