"""A job's hash in Redis, written and read: `docs/reference/schema.md` describes every field.

Producers write what is written here; what is read may come from any producer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from pydantic_core import to_json

from rrq.exc import MalformedJob
from rrq.job import Job, JobStatus


def encode_arguments(
    function_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[bytes, bytes]:
    """Positional and keyword arguments as JSON text.

    Datetimes, UUIDs, decimals, enums, dataclasses and pydantic models are written as pydantic
    writes them.

    Raises:
        TypeError: an argument cannot be JSON; the message names it.
    """
    for key in kwargs:
        if not isinstance(key, str):
            raise TypeError(f"A keyword argument of job {function_name!r} has no name: {key!r}")
    values = list(args)
    try:
        return (
            encode_json(values) if values else b"[]",
            encode_json(dict(kwargs)) if kwargs else b"{}",
        )
    except ValueError as error:
        for name, value in [*enumerate(args, start=1), *kwargs.items()]:
            try:
                encode_json(value)
            except ValueError as own_error:
                label = f"{name!r}" if isinstance(name, str) else f"number {name}"
                raise TypeError(
                    f"Argument {label} of job {function_name!r} cannot be JSON: {own_error}"
                ) from error
        raise TypeError(
            f"The arguments of job {function_name!r} cannot be JSON: {error}"
        ) from error


def encode_json(value: Any) -> bytes:
    """A value as JSON text, the way pydantic writes it.

    Raises:
        ValueError: it cannot be JSON (an unknown type, NaN, a cycle, broken text).
    """
    text = to_json(value, inf_nan_mode="constants")
    # NaN and Infinity are no JSON, though some writers print them; the words may also be text.
    if b"NaN" in text or b"Infinity" in text:
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise ValueError("NaN and Infinity are not JSON") from None
    return text


def job_from_hash(job_id: str, fields: Mapping[bytes, bytes]) -> Job:
    """The job that a hash describes.

    Raises:
        MalformedJob: a field cannot be read.
    """
    values: dict[str, Any] = {"id": job_id}
    for name, read in _READERS.items():
        raw = fields.get(name.encode())
        if raw is None or (raw == b"" and name != "function_name"):
            continue
        try:
            value = read(raw)
        except (ValueError, OverflowError, RecursionError) as error:
            raise MalformedJob(
                f"Job {job_id}: the field `{name}` cannot be read: {error}"
            ) from error
        if value is not None:
            values[name] = value
    if "function_name" not in values:
        raise MalformedJob(f"Job {job_id}: the field `function_name` is missing")
    return Job(**values)


def read_time(raw: bytes) -> datetime:
    """An RFC 3339 time; without an offset it counts as UTC.

    Raises:
        ValueError: it is no time.
    """
    time = datetime.fromisoformat(raw.decode())
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _read_list(raw: bytes) -> list[Any] | None:
    value = msgspec.json.decode(raw)
    if value is not None and not isinstance(value, list):
        raise ValueError("expected a JSON array")
    return value


def _read_strings(raw: bytes) -> dict[str, str] | None:
    return msgspec.json.decode(raw, type=dict[str, str] | None)


def _read_object(raw: bytes) -> dict[str, Any] | None:
    value = msgspec.json.decode(raw)
    if value is not None and not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def _read_integer(raw: bytes) -> int | None:
    return None if raw == b"null" else int(float(raw))


def _read_text(raw: bytes) -> str:
    return raw.decode()


_READERS: dict[str, Callable[[bytes], Any]] = {
    "function_name": _read_text,
    "job_args": _read_list,
    "job_kwargs": _read_object,
    "enqueue_time": read_time,
    "status": lambda raw: JobStatus(raw.decode()),
    "current_retries": _read_integer,
    "lost_count": _read_integer,
    "queue_name": _read_text,
    "next_scheduled_run_time": read_time,
    "max_retries": _read_integer,
    "job_timeout_seconds": _read_integer,
    "result_ttl_seconds": _read_integer,
    "job_unique_key": _read_text,
    "trace_context": _read_strings,
    "dlq_name": _read_text,
    "start_time": read_time,
    "worker_id": _read_text,
    "completion_time": read_time,
    "result": msgspec.json.decode,
    "last_error": _read_text,
}
