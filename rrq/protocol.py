"""The executor wire format, version 1: what stands on each JSON line, as types.

Arguments, results and trace context are `msgspec.Raw`: the kernel carries their JSON text and
never decodes it. `docs/reference/protocol.md` is the same for people.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

PROTOCOL_VERSION = "1"
PROTOCOL_FEATURES = "hello,cancel,progress"
"""What `RRQ_PROTOCOL_FEATURES` tells an executor that the orchestrator understands."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""The default for the longest line, on either side."""

HANDLER_NOT_FOUND = "handler_not_found"
"""The reserved `error_type`: the executor has no such handler."""

OutcomeStatus = Literal["success", "retry", "timeout", "error"]

NULL = Raw(b"null")


class ExecutionContext(Struct, kw_only=True):
    """What a handler is told about its job beside the arguments.

    Times are RFC 3339 text. `trace_context` is a JSON object of strings, or null.
    `lease_token` grows with every lease of the job, so that a service written to can refuse
    a smaller one (fencing). `alone`, if it is set, asks the transport to run the job in a process
    that has no other request meanwhile: once more lost and the job is dead-lettered.
    """

    job_id: str
    attempt: int
    enqueue_time: str
    queue_name: str
    deadline: str | None = None
    trace_context: Raw = NULL
    worker_id: str | None = None
    lease_token: int | None = None
    alone: bool | UnsetType = UNSET


class ExecutionRequest(Struct, kw_only=True):
    """One job for an executor. `args` is the text of a JSON array, `kwargs` of an object."""

    job_id: str
    function_name: str
    context: ExecutionContext
    args: Raw = Raw(b"[]")
    kwargs: Raw = Raw(b"{}")
    protocol_version: str = PROTOCOL_VERSION


class ExecutionOutcome(Struct, kw_only=True, omit_defaults=True):
    """What became of one request. `result` is JSON text, stored when `status` is success."""

    job_id: str
    status: OutcomeStatus
    result: Raw = NULL
    error_message: str | None = None
    error_type: str | None = None
    retry_after_seconds: float | None = None


class Hello(Struct, kw_only=True, tag_field="type", tag="hello"):
    """An executor's first line: it is ready, and this is what it can do."""

    protocol_version: str = PROTOCOL_VERSION
    features: list[str] = []
    max_in_flight: int | None = None
    functions: list[str] | None = None
    runtime: str | None = None


class Cancel(Struct, kw_only=True, tag_field="type", tag="cancel"):
    """From the orchestrator: stop this request and answer with any outcome for it."""

    job_id: str


class Progress(Struct, kw_only=True, tag_field="type", tag="progress", omit_defaults=True):
    """From an executor, while a request runs: how far it is."""

    job_id: str
    current: float | None = None
    total: float | None = None
    message: str | None = None


class _ExecutorLine(Struct, kw_only=True):
    """An outcome, or as much of another message as tells which it is.

    It has no field of the other messages: an outcome may carry anything under their names.
    """

    type: str = "outcome"
    job_id: str | UnsetType = UNSET
    status: OutcomeStatus | UnsetType = UNSET
    result: Raw = NULL
    error_message: str | None = None
    error_type: str | None = None
    retry_after_seconds: float | None = None


_line_decoder = msgspec.json.Decoder(_ExecutorLine)
_hello_decoder = msgspec.json.Decoder(Hello)
_progress_decoder = msgspec.json.Decoder(Progress)


def decode_executor_line(line: bytes) -> ExecutionOutcome | Hello | Progress:
    """What an executor printed.

    Raises:
        ValueError: the line is not JSON in UTF-8, or is no message of the protocol.
    """
    # JSON text that is carried raw is not decoded, so its encoding is checked here.
    if not line.isascii():
        line.decode()
    fields = _line_decoder.decode(line)
    if fields.type == "hello":
        return _hello_decoder.decode(line)
    if fields.type == "progress":
        return _progress_decoder.decode(line)
    if fields.type != "outcome":
        raise ValueError(f"unknown message type {fields.type[:40]!r}")
    if fields.job_id is UNSET:
        raise ValueError("the field `job_id` is missing")
    if fields.status is UNSET:
        raise ValueError("the field `status` is missing")
    return ExecutionOutcome(
        job_id=fields.job_id,
        status=fields.status,
        # A Raw is a view into the line's buffer: a copy keeps only the result alive.
        result=fields.result.copy(),
        error_message=fields.error_message,
        error_type=fields.error_type,
        retry_after_seconds=fields.retry_after_seconds,
    )


def encode_line(message: Struct) -> bytes:
    """Any message of this module as one line of JSON text, without the line's end."""
    line = _encode(message)
    # Raw JSON text may be spread over lines; outside strings a line end is mere space.
    if b"\n" in line or b"\r" in line:
        line = line.replace(b"\n", b" ").replace(b"\r", b" ")
    return line


_encode = msgspec.json.Encoder().encode


def decode_json(text: Raw | bytes) -> Any:
    """The value of a raw JSON field."""
    return msgspec.json.decode(text)
