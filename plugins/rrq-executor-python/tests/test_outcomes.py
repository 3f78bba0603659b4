"""What comes back for a request: results, errors, retries."""

from __future__ import annotations

import pytest

from .runtime_process import RuntimeProcess


def test_positional_and_keyword_arguments_reach_the_handler(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("echo", 1, [2], {"three": None}, four="vier")
    assert outcome["status"] == "success"
    assert outcome["result"] == {"args": [1, [2], {"three": None}], "kwargs": {"four": "vier"}}


def test_null_arguments_mean_none_are_given(runtime: RuntimeProcess) -> None:
    runtime.send(
        {
            "job_id": "a",
            "function_name": "echo",
            "args": None,
            "kwargs": None,
            "context": {
                "job_id": "a",
                "attempt": 1,
                "enqueue_time": "2026-01-01T12:00:00Z",
                "queue_name": "default",
            },
        }
    )
    assert runtime.outcome("a")["result"] == {"args": [], "kwargs": {}}


def test_the_context_has_every_key_in_its_type(runtime: RuntimeProcess) -> None:
    outcome = runtime.call(
        "describe_context",
        job_id="a",
        context={
            "attempt": 3,
            "deadline": "2099-01-01T00:00:00+00:00",
            "trace_context": {"traceparent": "00-1-2-01"},
            "worker_id": "rrq_worker_9",
            "lease_token": 41,
        },
    )
    result = outcome["result"]
    kinds = result.pop("kinds")
    assert result == {
        "job_id": "a",
        "job_try": 3,
        "enqueue_time": "2026-01-01T12:00:00.123456Z",
        "queue_name": "rrq:queue:default",
        "worker_id": "rrq_worker_9",
        "deadline": "2099-01-01T00:00:00Z",
        "trace_context": {"traceparent": "00-1-2-01"},
        "lease_token": 41,
        "redis_dsn": "redis://localhost:6399/7",
        "client_shares_settings": True,
    }
    assert (kinds["enqueue_time"], kinds["deadline"]) == ("datetime", "datetime")
    assert (kinds["settings"], kinds["rrq_client"]) == ("RRQSettings", "RRQClient")


def test_what_the_request_leaves_out_is_none_in_the_context(runtime: RuntimeProcess) -> None:
    result = runtime.call("describe_context")["result"]
    assert (result["deadline"], result["trace_context"], result["lease_token"]) == (None,) * 3
    assert result["worker_id"] == "rrq_worker_1"


@pytest.mark.parametrize("fraction", ["", ".1", ".123", ".123456789"])
def test_a_time_may_have_any_number_of_digits(runtime: RuntimeProcess, fraction: str) -> None:
    outcome = runtime.call(
        "greet", "Ada", context={"enqueue_time": f"2026-01-01T12:00:00{fraction}Z"}
    )
    assert outcome["result"] == "Hello, Ada"


@pytest.mark.parametrize(
    ("function_name", "result"),
    [
        ("greet", "Hello, ADA"),
        ("greet_in_thread", "Hello, ADA"),
        ("callable", "ADA"),
        ("partial", "Good day, ADA"),
        ("wrapped", "Hello, ADA"),
    ],
)
def test_any_kind_of_callable_can_be_a_handler(
    runtime: RuntimeProcess, function_name: str, result: str
) -> None:
    assert runtime.call(function_name, "ADA")["result"] == result


def test_a_plain_function_runs_in_a_thread_of_its_own(runtime: RuntimeProcess) -> None:
    assert runtime.call("thread_name")["result"].startswith("rrq-handler")


def test_results_are_encoded_as_arguments_are(runtime: RuntimeProcess) -> None:
    assert runtime.call("result_named", "rich")["result"] == {
        "datetime": "2026-01-01T12:00:00Z",
        "uuid": "00000000-0000-0000-0000-000000000007",
        "decimal": "1.10",
        "enum": "red",
        "dataclass": {"x": 3},
        "pydantic": {"when": "2026-01-01T00:00:00Z"},
        "tuple": [1, 2],
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "object",
            "is a dict that cannot be JSON: Unable to serialize unknown type: <class 'object'>",
        ),
        ("nan", "is a float that cannot be JSON: NaN and Infinity are not JSON"),
        ("infinity", "is a list that cannot be JSON: NaN and Infinity are not JSON"),
        ("surrogate", "is a str that cannot be JSON"),
        ("bytes", "is a bytes that cannot be JSON"),
    ],
)
def test_a_result_that_cannot_be_json_is_an_error_that_names_the_type(
    runtime: RuntimeProcess, name: str, told: str
) -> None:
    outcome = runtime.call("result_named", name)
    assert outcome["status"] == "error"
    assert outcome["error_message"].startswith("The result of 'result_named' ")
    assert told in outcome["error_message"]


@pytest.mark.parametrize(
    ("name", "result"),
    [("text that says NaN", "NaN and Infinity"), ("unicode", "żółć 🐍 \u2028 \x00")],
)
def test_any_text_can_be_a_result(runtime: RuntimeProcess, name: str, result: str) -> None:
    assert runtime.call("result_named", name)["result"] == result


def test_a_megabyte_goes_in_and_comes_out(runtime: RuntimeProcess) -> None:
    text = "ü" * 1_000_000
    assert runtime.call("echo", text)["result"]["args"] == [text]


def test_an_exception_is_an_error_with_its_type_and_text(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("raise_named", "ValueError", "no such user", job_id="a")
    assert outcome == {
        "job_id": "a",
        "status": "error",
        "error_type": "ValueError",
        "error_message": "no such user",
    }


def test_the_traceback_of_a_failure_is_in_the_log_without_our_frames(
    runtime: RuntimeProcess,
) -> None:
    runtime.call("raise_named", "ValueError", "no such user", job_id="a")
    log = runtime.log()
    assert "Job a (raise_named, attempt 1) failed" in log
    assert "in raise_named" in log
    assert "ValueError: no such user" in log
    assert "invocation.py" not in log


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "CancelledError"])
def test_an_exception_that_ends_programs_is_an_error_like_any_other(
    runtime: RuntimeProcess, name: str
) -> None:
    outcome = runtime.call("raise_named", name)
    assert (outcome["status"], outcome["error_type"]) == ("error", name)
    assert outcome["error_message"] == "Unhandled handler error"
    assert runtime.call("greet", "Ada")["status"] == "success"


@pytest.mark.parametrize("name", ["SystemExit", "StopIteration"])
def test_an_exception_that_ends_programs_or_loops_in_a_thread_is_answered(
    runtime: RuntimeProcess, name: str
) -> None:
    outcome = runtime.call("raise_in_thread", name)
    assert outcome["status"] == "error"
    assert runtime.call("greet_in_thread", "Ada")["status"] == "success"


def test_an_exit_in_a_task_of_a_handler_ends_no_process(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("exit_in_child_task")
    assert (outcome["status"], outcome["error_type"]) == ("error", "SystemExit")
    assert runtime.call("exit_in_forgotten_task")["result"] == "still here"


def test_an_exception_that_cannot_be_shown_is_answered(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("raise_unprintable")
    assert outcome["error_type"] == "Unprintable"
    assert outcome["error_message"] == "(the text of this Unprintable raised RuntimeError)"


def test_error_text_with_broken_unicode_stays_readable(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("raise_broken_text")
    assert outcome["error_message"] == r"lost \ud800 half"


def test_error_text_and_traceback_are_bounded(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("raise_long")
    assert 8_000 < len(outcome["error_message"].encode()) < 8_400
    assert outcome["error_message"].endswith("(cut off; the text has 1000000 characters)")
    assert runtime.call("recurse")["error_type"] == "RecursionError"
    assert len(runtime.log()) < 40_000


def test_retry_job_is_a_retry_with_its_delay(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("retry", "not yet", defer=2.5, job_id="a")
    assert outcome == {
        "job_id": "a",
        "status": "retry",
        "error_message": "not yet",
        "error_type": "RetryJob",
        "retry_after_seconds": 2.5,
    }


def test_a_retry_without_text_and_delay_has_the_usual_text(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("retry")
    assert (outcome["status"], outcome["error_message"]) == ("retry", "Job requested retry")
    assert "retry_after_seconds" not in outcome
    assert "Traceback" not in runtime.log()


def test_a_retry_delay_that_is_no_number_is_an_error(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("retry", defer="soon")
    assert outcome["status"] == "error"
    assert "`defer_seconds` must be a number of seconds, not 'soon'" in outcome["error_message"]


def test_a_missing_handler_has_the_reserved_error_type(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("nobody", job_id="a")
    assert outcome == {
        "job_id": "a",
        "status": "error",
        "error_type": "handler_not_found",
        "error_message": "No handler registered for function 'nobody'",
    }


@pytest.mark.parametrize(
    ("function_name", "arguments", "told"),
    [
        ("greet", [], "missing a required argument: 'name'"),
        ("greet", ["Ada", "Eve"], "too many positional arguments"),
        ("greet_in_thread", [], "missing a required argument: 'name'"),
    ],
)
def test_wrong_arguments_are_an_error_that_shows_the_signature(
    runtime: RuntimeProcess, function_name: str, arguments: list[str], told: str
) -> None:
    outcome = runtime.call(function_name, *arguments)
    assert outcome["error_type"] == "TypeError"
    assert f"The arguments do not fit {function_name}(ctx: " in outcome["error_message"]
    assert told in outcome["error_message"]


def test_a_type_error_inside_a_handler_is_not_taken_for_wrong_arguments(
    runtime: RuntimeProcess,
) -> None:
    outcome = runtime.call("type_error_inside")
    assert outcome["error_type"] == "TypeError"
    assert "do not fit" not in outcome["error_message"]
    assert "missing 1 required positional argument: 'name'" in outcome["error_message"]
