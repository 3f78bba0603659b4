"""A job's hash written and read: what counts as JSON, whose times and numbers are understood."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from rrq.exc import MalformedJob
from rrq.job import JobStatus
from rrq.store.codec import encode_arguments, encode_json, job_from_hash, read_time


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Order(BaseModel):
    number: int
    at: datetime


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("grüße", '"grüße"'),
        (datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC), '"2026-01-02T03:04:05.000600Z"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (timedelta(seconds=90), '"PT1M30S"'),
        (uuid.UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
        (Decimal("1.10"), '"1.10"'),
        (Colour.RED, '"red"'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (Order(number=1, at=datetime(2026, 1, 2, tzinfo=UTC)), None),
        ((1, 2), "[1,2]"),
        ({1: "one"}, '{"1":"one"}'),
        (2**200, str(2**200)),
        ("NaN and Infinity", '"NaN and Infinity"'),
    ],
)
def test_arguments_are_written_as_pydantic_writes_them(value: Any, text: str | None) -> None:
    expected = text or '{"number":1,"at":"2026-01-02T00:00:00Z"}'
    assert encode_arguments("f", [value], {"a": value}) == (
        f"[{expected}]".encode(),
        f'{{"a":{expected}}}'.encode(),
    )


def _cycle() -> list[Any]:
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


@pytest.mark.parametrize(
    "value",
    [object(), [1, object()], float("nan"), [float("inf")], b"\xff", "\udcff", _cycle()],
    ids=["object", "nested", "nan", "inf", "bytes", "surrogate", "cycle"],
)
def test_what_cannot_be_json_is_a_type_error_that_names_the_argument(value: Any) -> None:
    with pytest.raises(TypeError, match=r"Argument number 2 of job 'mail' cannot be JSON"):
        encode_arguments("mail", [1, value], {})
    with pytest.raises(TypeError, match=r"Argument 'body' of job 'mail' cannot be JSON"):
        encode_arguments("mail", [1], {"to": 1, "body": value})


def test_a_keyword_argument_needs_a_name() -> None:
    with pytest.raises(TypeError, match=r"job 'mail' has no name: 1"):
        encode_arguments("mail", [], {1: "x"})  # type: ignore[dict-item]


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(_json)
def test_what_was_written_is_read_back(value: Any) -> None:
    assert msgspec.json.decode(encode_json(value)) == value


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-01-01T12:00:00Z", 0),
        ("2026-01-01T12:00:00.123456Z", 123456),
        ("2026-01-01T12:00:00+00:00", 0),
        ("2026-01-01T12:00:00.123+00:00", 123000),
        ("2026-01-01T12:00:00.123456+00:00", 123456),
        ("2026-01-01T12:00:00.123456789+00:00", 123456),
        ("2026-01-01T14:00:00.5+02:00", 500000),
        ("2026-01-01T12:00:00", 0),
    ],
)
def test_every_producers_times_are_read(text: str, micros: int) -> None:
    assert read_time(text.encode()) == datetime(2026, 1, 1, 12, 0, 0, micros, tzinfo=UTC)


def test_a_time_keeps_its_offset() -> None:
    assert read_time(b"2026-01-01T14:00:00+02:00").tzinfo == timezone(timedelta(hours=2))


def test_a_whole_hash_is_read() -> None:
    job = job_from_hash(
        "a",
        {
            b"id": b"a",
            b"function_name": b"greet",
            b"job_args": b'[1, "\\u00fc"]',
            b"job_kwargs": '{"n":"ü"}'.encode(),
            b"enqueue_time": b"2026-01-01T12:00:00Z",
            b"status": b"RETRYING",
            b"current_retries": b"2",
            b"lost_count": b"1",
            b"queue_name": b"urgent",
            b"max_retries": b"5",
            b"job_timeout_seconds": b"30",
            b"result_ttl_seconds": b"0",
            b"trace_context": b'{"t":"1"}',
            b"result": b"null",
            b"last_error": "größe".encode(),
            b"custom": b"\xff",
        },
    )
    assert (job.id, job.function_name, job.job_args) == ("a", "greet", [1, "ü"])
    assert job.job_kwargs == {"n": "ü"}
    assert (job.status, job.current_retries, job.lost_count) == (JobStatus.RETRYING, 2, 1)
    assert (job.max_retries, job.job_timeout_seconds, job.result_ttl_seconds) == (5, 30, 0)
    assert (job.queue_name, job.trace_context) == ("urgent", {"t": "1"})
    assert (job.result, job.last_error, job.job_unique_key) == (None, "größe", None)


def test_what_is_not_set_null_or_empty_takes_the_default() -> None:
    job = job_from_hash(
        "a",
        {
            b"function_name": b"f",
            b"job_args": b"null",
            b"job_kwargs": b"",
            b"max_retries": b"null",
            b"trace_context": b"null",
            b"start_time": b"",
        },
    )
    assert (job.job_args, job.job_kwargs, job.max_retries) == ([], {}, None)
    assert (job.status, job.trace_context, job.start_time) == (JobStatus.PENDING, None, None)


def test_an_empty_function_name_can_be_shown() -> None:
    assert job_from_hash("a", {b"function_name": b""}).function_name == ""


def test_a_hash_without_a_function_name_is_malformed() -> None:
    with pytest.raises(MalformedJob, match="Job a: the field `function_name` is missing"):
        job_from_hash("a", {b"id": b"a"})
