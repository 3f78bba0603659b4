"""What a handler reports while it runs."""

from __future__ import annotations

from .conftest import Start
from .runtime_process import RuntimeProcess


def progress_before_outcome(runtime: RuntimeProcess, job_id: str) -> list[dict[str, object]]:
    messages = []
    while "status" not in (message := runtime.next_message()):
        assert (message.pop("type"), message.pop("job_id")) == ("progress", job_id)
        messages.append(message)
    assert message["status"] == "success"
    return messages


def test_the_last_progress_leaves_before_the_outcome(runtime: RuntimeProcess) -> None:
    job = runtime.request("count_up", 1000)
    messages = progress_before_outcome(runtime, job)
    assert messages[-1] == {"current": 1000, "total": 1000, "message": "step 1000"}


def test_at_most_ten_reports_a_second_leave_the_process(runtime: RuntimeProcess) -> None:
    job = runtime.request("count_for", 1.0)
    messages = progress_before_outcome(runtime, job)
    assert 5 <= len(messages) <= 12
    counts = [message["current"] for message in messages]
    assert counts == sorted(counts)


def test_a_function_in_a_thread_reports_too(runtime: RuntimeProcess) -> None:
    job = runtime.request("progress_in_thread")
    assert progress_before_outcome(runtime, job) == [{"message": "halfway"}]


def test_progress_is_dropped_if_the_orchestrator_does_not_know_it(start: Start) -> None:
    runtime = start(features="hello,cancel")
    runtime.next_message()
    job = runtime.request("count_up", 10)
    assert runtime.next_message() == {"job_id": job, "status": "success"}


def test_progress_that_is_no_number_is_the_handlers_error(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("bad_progress")
    assert outcome["error_type"] == "TypeError"
    assert outcome["error_message"] == "`current` is 'half', it must be a number"
