"""The first line, and plain version 1 without it."""

from __future__ import annotations

import platform

from .conftest import Start


def test_the_first_line_says_what_the_process_can_do(start: Start) -> None:
    hello = start(options=["--max-in-flight", "7"]).next_message()
    functions = hello.pop("functions")
    assert hello == {
        "type": "hello",
        "protocol_version": "1",
        "features": ["cancel", "progress"],
        "max_in_flight": 7,
        "runtime": f"python {platform.python_version()}",
    }
    assert {"echo", "greet", "partial"} <= set(functions)


def test_max_in_flight_is_32_unless_the_environment_says_otherwise(start: Start) -> None:
    assert start().next_message()["max_in_flight"] == 32
    assert start(environment={"RRQ_MAX_IN_FLIGHT": "3"}).next_message()["max_in_flight"] == 3


def test_only_features_that_the_orchestrator_knows_are_offered(start: Start) -> None:
    assert start(features="hello,cancel,later").next_message()["features"] == ["cancel"]


def test_without_hello_in_the_features_it_speaks_plain_version_1(start: Start) -> None:
    process = start(features="")
    process.request("count_up", 3, job_id="a")
    assert process.next_message() == {"job_id": "a", "status": "success"}
    assert process.end() == []
