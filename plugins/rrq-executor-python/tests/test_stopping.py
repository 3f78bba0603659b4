"""Cancelling one job, deadlines, and the end of the process."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import eventually_blocking

from .conftest import Start
from .runtime_process import RuntimeProcess

CANCELLED = {
    "status": "error",
    "error_type": "Cancelled",
    "error_message": "The job was cancelled.",
}


def has(path: Path, text: str) -> None:
    eventually_blocking(
        lambda: path.exists() and path.read_text() == text, what=f"{text} in a file"
    )


def in_seconds(seconds: float) -> dict[str, Any]:
    return {"deadline": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


def test_a_cancelled_handler_cleans_up_and_is_answered(
    runtime: RuntimeProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    job = runtime.request("hang", str(mark))
    has(mark, "began")
    runtime.cancel(job)
    assert runtime.outcome(job) == {"job_id": job, **CANCELLED}
    assert mark.read_text() == "cleaned up"
    assert "Traceback" not in runtime.log()


def test_a_cancel_leaves_other_jobs_alone(runtime: RuntimeProcess, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    unwanted = runtime.request("hang")
    other = runtime.request("wait_for_file", str(began), str(go))
    has(began, "began")
    runtime.cancel(unwanted)
    assert runtime.outcome(unwanted)["error_type"] == "Cancelled"
    go.touch()
    assert runtime.outcome(other)["result"] == "done"


def test_a_request_that_waits_for_its_turn_can_be_cancelled(start: Start) -> None:
    runtime = start(options=["--max-in-flight", "1"])
    first, second = runtime.request("hang"), runtime.request("hang")
    runtime.cancel(second)
    assert runtime.outcome(second) == {"job_id": second, **CANCELLED}
    runtime.cancel(first)
    assert runtime.outcome(first)["error_type"] == "Cancelled"
    assert runtime.call("greet", "Ada")["status"] == "success"


def test_a_cancel_sent_right_behind_its_request_is_heeded(runtime: RuntimeProcess) -> None:
    for _ in range(20):
        job = runtime.request("hang")
        runtime.cancel(job)
        assert runtime.outcome(job)["error_type"] == "Cancelled"


def test_a_cancel_for_a_job_that_is_not_there_is_ignored(runtime: RuntimeProcess) -> None:
    runtime.cancel("nobody")
    runtime.request("greet", "Ada", job_id="a")
    assert runtime.next_message()["job_id"] == "a"


def test_a_handler_that_finishes_all_the_same_has_its_result(
    runtime: RuntimeProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    job = runtime.request("refuse_to_stop", str(mark))
    has(mark, "began")
    runtime.cancel(job)
    assert runtime.outcome(job)["result"] == "finished all the same"


def test_a_function_in_a_thread_is_answered_when_it_ends(
    runtime: RuntimeProcess, tmp_path: Path
) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    job = runtime.request("wait_in_thread", str(began), str(go))
    has(began, "began")
    runtime.cancel(job)
    assert runtime.call("greet", "Ada")["job_id"] != job
    go.touch()
    assert runtime.outcome(job)["result"] == "done"


def test_a_handler_is_cancelled_at_its_deadline(runtime: RuntimeProcess, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    outcome = runtime.call("hang", str(mark), job_id="a", context=in_seconds(0.2))
    assert (outcome["status"], outcome["error_message"]) == ("timeout", "Job timed out.")
    assert mark.read_text() == "cleaned up"


def test_a_failing_clean_up_at_the_deadline_is_still_a_timeout(
    runtime: RuntimeProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    outcome = runtime.call("fail_when_cancelled", str(mark), context=in_seconds(0.2))
    assert outcome["status"] == "timeout"
    assert "ValueError: clean-up failed" in runtime.log()


def test_a_deadline_that_has_passed_starts_no_handler(
    runtime: RuntimeProcess, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    assert runtime.call("hang", str(mark), context=in_seconds(-1))["status"] == "timeout"
    assert not mark.exists()


def test_at_the_end_of_stdin_it_finishes_what_it_has_and_exits(
    runtime: RuntimeProcess, tmp_path: Path
) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    running = runtime.request("wait_for_file", str(began), str(go))
    has(began, "began")
    runtime.close_stdin()
    go.touch()
    assert runtime.outcome(running)["result"] == "done"
    assert runtime.next_line() is None
    assert runtime.wait() == 0


def test_at_the_end_of_stdin_requests_that_wait_are_served_too(start: Start) -> None:
    runtime = start(options=["--max-in-flight", "2"])
    jobs = {runtime.request("greet", str(n)) for n in range(50)}
    outcomes = [one for one in runtime.end() if "status" in one]
    assert {one["job_id"] for one in outcomes} == jobs
    assert runtime.wait() == 0


@pytest.mark.parametrize("end", ["stdin", "SIGTERM"])
def test_what_outlasts_the_grace_is_cancelled_and_not_answered(
    start: Start, tmp_path: Path, end: str
) -> None:
    runtime = start(options=["--grace-seconds", "0.1"])
    mark = tmp_path / "mark"
    runtime.request("hang", str(mark))
    has(mark, "began")
    if end == "stdin":
        runtime.close_stdin()
    else:
        runtime.process.send_signal(signal.SIGTERM)
    assert runtime.wait() == 0
    assert mark.read_text() == "cleaned up"
    assert runtime.next_message()["type"] == "hello"
    assert runtime.next_line() is None


def test_a_function_in_a_thread_does_not_keep_the_process(start: Start, tmp_path: Path) -> None:
    runtime = start(options=["--grace-seconds", "0.1"])
    began = tmp_path / "began"
    runtime.request("wait_in_thread", str(began), str(tmp_path / "never"))
    has(began, "began")
    runtime.close_stdin()
    assert runtime.wait() == 0


def test_sigterm_lets_running_handlers_finish(runtime: RuntimeProcess, tmp_path: Path) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    running = runtime.request("wait_for_file", str(began), str(go))
    has(began, "began")
    runtime.process.send_signal(signal.SIGTERM)
    go.touch()
    assert runtime.outcome(running)["result"] == "done"
    assert runtime.wait() == 0


def test_a_signal_after_the_end_of_stdin_cuts_the_grace(start: Start, tmp_path: Path) -> None:
    runtime = start(options=["--grace-seconds", "600"])
    mark = tmp_path / "mark"
    runtime.request("hang", str(mark))
    has(mark, "began")
    runtime.process.send_signal(signal.SIGTERM)
    runtime.process.send_signal(signal.SIGTERM)
    eventually_blocking(lambda: _signal_until_gone(runtime), what="the end of the process")
    assert runtime.wait() == 0
    assert mark.read_text() == "cleaned up"


def _signal_until_gone(runtime: RuntimeProcess) -> bool:
    # Two equal signals that arrive together count as one.
    if runtime.process.poll() is None:
        runtime.process.send_signal(signal.SIGTERM)
        return False
    return True


def test_ctrl_c_is_the_orchestrators_affair(runtime: RuntimeProcess) -> None:
    runtime.process.send_signal(signal.SIGINT)
    assert runtime.call("greet", "Ada")["status"] == "success"


def test_ctrl_c_ends_a_process_that_was_started_by_hand(start: Start) -> None:
    runtime = start(environment={"RRQ_WORKER_ID": ""})
    runtime.next_message()
    runtime.process.send_signal(signal.SIGINT)
    assert runtime.wait() == 0


def test_a_process_whose_outcomes_nobody_reads_any_more_ends(start: Start) -> None:
    runtime = start()
    runtime.next_message()
    runtime.close_stdout()
    runtime.request("greet", "Ada")
    assert runtime.wait() == 0
