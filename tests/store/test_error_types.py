"""`error_type_of`: what an attempt of the history says of the job's last error."""

from __future__ import annotations

import json

import pytest

from rrq.store.error_types import error_type_of


def history(*entries: object) -> str:
    return json.dumps(entries)


def test_the_newest_attempt_with_the_same_error_tells_its_type() -> None:
    attempts = history(
        {"error": "'id'", "error_type": "LookupError"},
        {"error": "'id'", "error_type": "KeyError"},
        {"error": "busy", "error_type": "RetryJob"},
        {"outcome": "cancelled"},
    )

    assert error_type_of(attempts, "'id'") == "KeyError"


def test_of_a_long_error_the_history_has_the_beginning() -> None:
    attempts = history({"error": "x" * 1023 + "…", "error_type": "ValueError"})

    assert error_type_of(attempts, "x" * 3000) == "ValueError"


@pytest.mark.parametrize(
    "attempts",
    [
        None,
        "",
        "no JSON",
        "[" * 100_000,
        "{}",
        history(),
        history(None, 3, {"error": ["'id'"], "error_type": "KeyError"}),
        history({"error": "another", "error_type": "KeyError"}),
        history({"error": "'id'"}),
        history({"error": "'id'", "error_type": 3}),
        history({"error": "'id'", "error_type": "handler_not_found"}),
        history({"error": "'id'", "error_type": "RetryJob", "outcome": "retry"}),
    ],
)
def test_a_history_that_says_nothing_of_the_error_gives_no_type(attempts: str | None) -> None:
    assert error_type_of(attempts, "'id'") is None
