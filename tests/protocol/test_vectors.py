"""`tests/vectors/`: RRQ's own reader and writer of lines and hashes agree with the vectors."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from rrq.conformance import vectors
from rrq.conformance.sameness import difference
from rrq.conformance.vectors import Case
from rrq.exc import MalformedJob
from rrq.protocol import (
    Cancel,
    ExecutionOutcome,
    ExecutionRequest,
    decode_executor_line,
    encode_line,
)
from rrq.store.codec import encode_json, job_from_hash, read_time
from tests.protocol.cases import each
from tests.support.documents import CHECKOUT

FOLDER = CHECKOUT / "tests" / "vectors"


def test_every_file_is_described_and_names_each_case_once() -> None:
    described = (FOLDER / "README.md").read_text()
    for path in FOLDER.glob("*.json"):
        assert f"`{path.name}`" in described
        assert path.read_bytes().isascii()
        names = [case["name"] for case in vectors.cases(path.stem)]
        assert len(names) == len(set(names)) > 0


def test_every_need_is_described() -> None:
    described = (FOLDER / "README.md").read_text()
    cases = [case for path in FOLDER.glob("*.json") for case in vectors.cases(path.stem)]
    needs = {need for case in cases for need in vectors.needs(case)}
    assert needs
    assert all(f"| `{need}` |" in described for need in needs)


@pytest.mark.parametrize(
    ("language", "tests"),
    [
        ("go", "**/*_test.go"),
        ("rust", "crates/*/tests/*.rs"),
        ("typescript", "tests/*.ts"),
    ],
)
def test_every_language_runs_every_file_that_is_for_executors(language: str, tests: str) -> None:
    readme = (FOLDER / "README.md").read_text()
    section = readme.partition("## Files for executors")[2].partition("## Files for producers")[0]
    files = re.findall(r"^\| `(\w+)\.json` \|", section, re.MULTILINE)
    sources = (CHECKOUT / "reference" / language).glob(tests)
    run = {name for path in sources for name in re.findall(r'"(\w+)"', path.read_text())}

    assert len(files) == 8
    assert set(files) - run == set()


@each("requests")
def test_a_request_line_says_what_the_vector_expects(case: Case) -> None:
    request = msgspec.json.decode(vectors.line(case), type=ExecutionRequest)

    expected, context = case["expect"], case["expect"]["context"]
    assert request.protocol_version == "1"
    assert request.job_id == request.context.job_id == expected["job_id"]
    assert request.function_name == expected["function_name"]
    assert difference(vectors.text(expected["args"]), bytes(request.args)) is None
    assert difference(vectors.text(expected["kwargs"]), bytes(request.kwargs)) is None
    assert request.context.attempt == context["attempt"]
    assert read_time(request.context.enqueue_time.encode()) == moment(context["enqueue_time"])
    assert request.context.queue_name == context["queue_name"]
    deadline = request.context.deadline
    assert (deadline and read_time(deadline.encode())) == moment(context["deadline"])
    assert json.loads(bytes(request.context.trace_context)) == context["trace_context"]
    assert request.context.worker_id == context["worker_id"]
    assert request.context.lease_token == context["lease_token"]


@each("outcomes")
def test_an_outcome_line_is_read_as_the_vector_says(case: Case) -> None:
    assert_says(decode_executor_line(vectors.line(case)), case)


@each("outcomes")
def test_an_outcome_is_written_as_a_line_that_says_the_same(case: Case) -> None:
    result = Raw(vectors.text(case["outcome"].get("result", "null")).encode())
    outcome = ExecutionOutcome(**{**case["outcome"], "result": result})
    assert_says(decode_executor_line(encode_line(outcome)), case)


def assert_says(outcome: object, case: Case) -> None:
    """Fail unless a message that was read is the outcome of a case."""
    assert isinstance(outcome, ExecutionOutcome)
    result = vectors.text(case["outcome"].get("result", "null"))
    assert difference(result, bytes(outcome.result)) is None
    for name in ("job_id", "status", "error_message", "error_type", "retry_after_seconds"):
        assert getattr(outcome, name) == case["outcome"].get(name), name


@each("messages")
def test_a_message_is_read_and_written_as_the_vector_says(case: Case) -> None:
    line = vectors.line(case)
    if case["type"] == "cancel":
        message: Any = msgspec.json.decode(line, type=Cancel)
    else:
        message = decode_executor_line(line)
    again = json.loads(encode_line(message))
    assert again.pop("type") == case["type"]
    assert {name: value for name, value in again.items() if value is not None} == case["message"]


@each("bad_executor_lines")
def test_a_bad_line_of_an_executor_is_refused(case: Case) -> None:
    line = vectors.line(case)
    with pytest.raises((msgspec.DecodeError, ValueError)) as refused:
        # The transport checks the encoding, before it decodes what it does not carry.
        decode_executor_line(line.decode().encode())
    assert str(refused.value)


@each("values")
def test_a_value_says_the_same_after_it_was_a_python_object(case: Case) -> None:
    text = vectors.text(case["json"])
    assert difference(text, encode_json(msgspec.json.decode(text))) is None


@each("times")
def test_a_time_is_read_as_the_moment_that_it_is(case: Case) -> None:
    assert read_time(case["text"].encode()) == moment(case)
    written = json.loads(encode_json(moment(case)))
    assert read_time(written.encode()) == moment(case)


@each("bad_times")
def test_a_text_that_is_no_time_is_refused(case: Case) -> None:
    with pytest.raises(ValueError, match=r"iso|day|month|hour|minute|offset"):
        read_time(case["text"].encode())


@each("hashes")
def test_a_hash_is_read_as_the_vector_says(case: Case) -> None:
    expected = dict(case["job"])
    job = job_from_hash("h1", {a.encode(): b.encode() for a, b in case["fields"].items()})
    for name in ("job_args", "job_kwargs", "result"):
        assert difference(expected.pop(name), encode_json(getattr(job, name))) is None
    for name, value in expected.items():
        is_time = name.endswith("_time") and value is not None
        assert getattr(job, name) == (moment(value) if is_time else value), name
    assert {*expected, "id", "job_args", "job_kwargs", "result"} == set(type(job).model_fields)


@each("bad_hashes")
def test_a_hash_that_cannot_be_read_is_refused_by_the_field(case: Case) -> None:
    with pytest.raises(MalformedJob, match=f"`{case['field']}`"):
        job_from_hash("h1", {a.encode(): b.encode() for a, b in case["fields"].items()})


def moment(at: dict[str, int] | None) -> datetime | None:
    """The moment that a vector names, to the microsecond."""
    if at is None:
        return None
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return start + timedelta(seconds=at["unix_seconds"], microseconds=at["nanoseconds"] // 1000)
