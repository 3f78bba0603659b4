"""`docs/reference/schemas/`: the JSON Schemas say what the Python types say."""

from __future__ import annotations

import json
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import jsonschema
import msgspec
import pytest
from msgspec import Raw, UnsetType

from rrq.conformance import vectors
from rrq.conformance.vectors import Case
from rrq.job import Job, JobStatus
from rrq.protocol import (
    Cancel,
    ExecutionContext,
    ExecutionOutcome,
    ExecutionRequest,
    Hello,
    OutcomeStatus,
    Progress,
    encode_line,
)
from tests.protocol.cases import each
from tests.store.driving import Driver
from tests.support.documents import CHECKOUT

FOLDER = CHECKOUT / "docs" / "reference" / "schemas"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
REQUEST, CONTEXT = SCHEMAS["request"], SCHEMAS["request"]["properties"]["context"]
TYPES: list[tuple[Any, Any]] = [
    (ExecutionRequest, REQUEST),
    (ExecutionContext, CONTEXT),
    (ExecutionOutcome, SCHEMAS["outcome"]),
    (Hello, SCHEMAS["hello"]),
    (Cancel, SCHEMAS["cancel"]),
    (Progress, SCHEMAS["progress"]),
]
each_type = pytest.mark.parametrize(
    ("type_", "schema"), [pytest.param(*pair, id=pair[0].__name__) for pair in TYPES]
)


def problems(name: str, message: Any) -> list[str]:
    """What a schema has against a message."""
    validator = jsonschema.Draft202012Validator(SCHEMAS[name])
    return [error.message[:200] for error in validator.iter_errors(message)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"urn:rrq:{name}:1"


@each_type
def test_a_schema_has_the_fields_of_its_type(type_: Any, schema: Any) -> None:
    tag = {"type"} if "type" in schema["properties"] else set()
    assert set(schema["properties"]) == set(type_.__struct_fields__) | tag


@each_type
def test_a_schema_wants_no_less_than_its_type(type_: Any, schema: Any) -> None:
    needed = {field.name for field in msgspec.structs.fields(type_) if field.required}
    assert needed <= set(schema["required"])


@each_type
def test_a_field_has_the_types_that_the_types_field_has(type_: Any, schema: Any) -> None:
    for field in msgspec.structs.fields(type_):
        # What is carried as text has no type to compare.
        if field.type is not Raw:
            described = schema["properties"][field.name]
            assert json_types(described) == json_types_of(field.type), field.name


@each_type
def test_what_a_schema_allows_can_be_read_as_its_type(type_: Any, schema: Any) -> None:
    for field, described in schema["properties"].items():
        for kind in json_types(described) or EXAMPLES:
            message = example(schema) | {field: example(described, kind)}
            assert valid(schema, message), (field, kind)
            msgspec.json.decode(json.dumps(message), type=type_)


@each_type
def test_what_a_schema_forbids_is_no_value_of_its_type(type_: Any, schema: Any) -> None:
    raw = {field.name for field in msgspec.structs.fields(type_) if field.type is Raw}
    for field, described in schema["properties"].items():
        allowed = json_types(described) or set(EXAMPLES)
        allowed |= {"integer"} if "number" in allowed else set()
        for kind in EXAMPLES.keys() - allowed:
            message = example(schema) | {field: EXAMPLES[kind]}
            assert not valid(schema, message), (field, kind)
            # What is carried as text is not looked at; an outcome has no type in the worker.
            if field not in raw and (field, type_) != ("type", ExecutionOutcome):
                with pytest.raises(msgspec.ValidationError):
                    msgspec.json.decode(json.dumps(message), type=type_)


EXAMPLES: dict[str, Any] = {
    "string": "2026-01-01T12:00:00.5Z",  # which is also a time
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


def example(schema: Any, kind: str | None = None) -> Any:
    """A value that a schema allows, of this JSON type; of an object only what must be there."""
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if kind is None:
        kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "object" and "properties" in schema:
        return {name: example(schema["properties"][name]) for name in schema["required"]}
    return EXAMPLES[kind]


def valid(schema: Any, message: Any) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(message)


def test_the_statuses_of_an_outcome_are_those_of_the_type() -> None:
    statuses = SCHEMAS["outcome"]["properties"]["status"]["enum"]
    assert set(statuses) == set(get_args(OutcomeStatus))


def json_types(schema: Any) -> set[str]:
    """The JSON types that a schema allows."""
    if "type" in schema:
        return {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
    values = schema.get("enum", [schema.get("const")])
    return {"string" for value in values if isinstance(value, str)}


def json_types_of(type_: Any) -> set[str]:
    """The JSON types of a Python type."""
    plain = {str: "string", int: "integer", float: "number", NoneType: "null", list: "array"}
    plain |= {bool: "boolean"}
    if type_ is UnsetType:
        return set()  # the field is left out
    if isinstance(type_, UnionType):
        return set.union(*map(json_types_of, get_args(type_)))
    if get_origin(type_) is Literal:
        return set.union(*(json_types_of(type(value)) for value in get_args(type_)))
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return {"object"}
    return {plain[get_origin(type_) or type_]}


REQUEST_OF_A_WORKER = ExecutionRequest(
    job_id="j",
    function_name="f",
    context=ExecutionContext(
        job_id="j", attempt=1, enqueue_time="2026-01-01T12:00:00Z", queue_name="default"
    ),
)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("request", REQUEST_OF_A_WORKER),
        ("hello", Hello()),
        ("hello", Hello(features=["cancel"], max_in_flight=1, functions=["f"], runtime="x")),
        ("cancel", Cancel(job_id="j")),
        ("progress", Progress(job_id="j")),
        ("progress", Progress(job_id="j", current=1, total=2.5, message="m")),
        ("outcome", ExecutionOutcome(job_id="j", status="success")),
        ("outcome", ExecutionOutcome(job_id="j", status="retry", retry_after_seconds=1)),
    ],
)
def test_what_the_types_write_is_what_the_schema_wants(name: str, message: Any) -> None:
    assert problems(name, json.loads(encode_line(message))) == []


# -- the vectors ------------------------------------------------------------------------


@each("requests")
def test_a_request_of_the_vectors_fits_the_schema(case: Case) -> None:
    assert problems("request", json.loads(vectors.line(case))) == []


@each("outcomes")
def test_an_outcome_of_the_vectors_fits_the_schema(case: Case) -> None:
    assert problems("outcome", json.loads(vectors.line(case))) == []


@each("messages")
def test_a_message_of_the_vectors_fits_the_schema(case: Case) -> None:
    assert problems(case["type"], json.loads(vectors.line(case))) == []


@each("bad_requests")
def test_a_bad_request_of_the_vectors_fits_no_schema(case: Case) -> None:
    if (message := parsed(case)) is not None:
        assert problems("request", message)
        assert problems("cancel", message)


@each("bad_executor_lines")
def test_a_bad_line_of_the_vectors_fits_no_schema(case: Case) -> None:
    if (message := parsed(case)) is not None:
        assert all(problems(name, message) for name in ("outcome", "hello", "progress"))


def parsed(case: Case) -> list[Any] | dict[str, Any] | None:
    """The line as JSON, if it is JSON."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        return json.loads(vectors.line(case).decode(), parse_constant=refuse) or {}
    except (ValueError, RecursionError):
        return None


# -- the job's hash ---------------------------------------------------------------------


def test_the_schema_of_a_job_has_every_field_of_the_type() -> None:
    assert set(Job.model_fields) <= set(SCHEMAS["job"]["properties"])
    assert SCHEMAS["job"]["properties"]["status"]["enum"] == [status.value for status in JobStatus]


def test_a_new_job_has_no_field_that_a_job_has_not() -> None:
    job, new = SCHEMAS["job"]["properties"], SCHEMAS["new-job"]["properties"]
    assert {name for name in new if name not in job} == set()
    special = {"status", "current_retries", "result"}
    assert {name for name in new if new[name] != job[name]} == special


@each("hashes")
def test_a_hash_of_the_vectors_fits_the_schema(case: Case) -> None:
    fields = {name: value for name, value in case["fields"].items() if value not in ("", "null")}
    assert hash_problems("job", fields) == []


@each("bad_hashes")
def test_a_bad_hash_of_the_vectors_does_not_fit_the_schema(case: Case) -> None:
    assert hash_problems("job", case["fields"])
    assert hash_problems("new-job", case["fields"])


async def test_every_hash_that_rrqs_own_steps_write_fits_the_schema(driver: Driver) -> None:
    seen: set[str] = set()

    async def look() -> None:
        fields = await driver.hash("a")
        seen.update(fields)
        assert hash_problems("job", fields) == []

    for kind in ("retry", "lost", "release", "fail", "complete", "cancel"):
        if not await driver.waiting():
            await driver.enqueue("a", unique_key="k", trace_context="{}", dlq_name="d")
            assert hash_problems("new-job", await driver.hash("a")) == []
        await driver.store.jobs.await_end("a", "client")
        [claim] = await driver.claim()
        await driver.store.leases.report_progress([("a", claim.token, b'{"current":1}')])
        if kind == "cancel":
            await driver.store.jobs.cancel("a")
        await look()
        await driver.settle(claim, kind, "1", attempt=b'{"outcome":"error","worker":"w"}')  # type: ignore[arg-type]
        await look()
    assert seen <= set(SCHEMAS["job"]["properties"])
    assert set(SCHEMAS["job"]["properties"]) == seen


def hash_problems(name: str, fields: dict[str, str]) -> list[str]:
    """What a schema has against a hash, what stands in its JSON fields included."""
    found = problems(name, fields)
    for field, described in SCHEMAS[name]["properties"].items():
        if "contentSchema" in described and field in fields:
            try:
                value = msgspec.json.decode(fields[field])
            except msgspec.DecodeError as error:
                found.append(f"{field}: {error}")
                continue
            validator = jsonschema.Draft202012Validator(described["contentSchema"])
            found += [f"{field}: {error.message}" for error in validator.iter_errors(value)]
    return found
