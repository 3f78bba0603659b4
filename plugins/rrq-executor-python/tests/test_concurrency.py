"""Many handlers at once, each for itself."""

from __future__ import annotations

import threading
from pathlib import Path

from .conftest import Start
from .runtime_process import RuntimeProcess


def test_two_handlers_that_need_each_other_both_finish(runtime: RuntimeProcess) -> None:
    jobs = [runtime.request("meet", "here") for _ in range(2)]
    assert [runtime.outcome(job)["result"] for job in jobs] == ["met", "met"]


def test_as_many_handlers_run_at_once_as_max_in_flight(start: Start) -> None:
    runtime = start(options=["--max-in-flight", "50"])
    jobs = [runtime.request("meet", "here", 50) for _ in range(50)]
    assert {runtime.outcome(job)["result"] for job in jobs} == {"met"}


def test_two_functions_in_threads_that_need_each_other_both_finish(
    runtime: RuntimeProcess,
) -> None:
    jobs = [runtime.request("meet_in_thread") for _ in range(2)]
    assert [runtime.outcome(job)["result"] for job in jobs] == ["met", "met"]


def test_requests_beyond_max_in_flight_wait_for_their_turn(start: Start) -> None:
    runtime = start(options=["--max-in-flight", "3"])
    jobs = [runtime.request("count_running") for _ in range(30)]
    assert max(runtime.outcome(job)["result"] for job in jobs) == 3


def test_what_is_finished_is_told_while_other_handlers_of_the_same_turn_go_on(
    runtime: RuntimeProcess, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    runtime.hold_requests()
    first = runtime.request("echo")
    second = runtime.request("block_for", 0.05)
    last = runtime.request("block_until", str(go))
    runtime.send_held()
    assert runtime.outcome(first)["status"] == "success"
    assert runtime.outcome(second)["status"] == "success"
    go.touch()
    assert runtime.outcome(last)["status"] == "success"


def test_context_variables_of_one_handler_are_not_seen_by_another(
    runtime: RuntimeProcess,
) -> None:
    jobs = [runtime.request("swap_context_variable", value) for value in ("one", "two")]
    results = [runtime.outcome(job)["result"] for job in jobs]
    assert results == ["nothing, then one", "nothing, then two"]
    assert runtime.call("read_context_variable_in_thread")["result"] == "nothing"


def test_a_reader_that_falls_behind_loses_nothing(start: Start) -> None:
    runtime = start(options=["--max-in-flight", "4"])
    size, count = 1_000_000, 64
    sender = threading.Thread(
        target=lambda: [runtime.request("large_result", size, job_id=str(n)) for n in range(count)]
    )
    sender.start()
    for n in range(count):
        assert len(runtime.outcome(str(n))["result"]) == size
    sender.join()
