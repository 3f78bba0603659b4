"""Lines that are no ordinary requests, and what standard streams are to a handler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Start
from .runtime_process import RuntimeProcess


def test_another_protocol_version_is_refused(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("greet", "Ada", protocol_version="2", job_id="a")
    assert outcome == {
        "job_id": "a",
        "status": "error",
        "error_message": "Unsupported protocol version",
    }


def test_a_later_version_is_refused_though_its_request_looks_different(
    runtime: RuntimeProcess,
) -> None:
    runtime.send({"protocol_version": "2", "job_id": "a", "call": {"handler": "greet"}})
    assert runtime.outcome("a")["error_message"] == "Unsupported protocol version"


@pytest.mark.parametrize(
    "line", [b"what?", b"[1, 2]", b"null", b'{"job_id": "a"}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_line_that_is_no_request_is_answered_for_an_unknown_job(
    runtime: RuntimeProcess, line: bytes
) -> None:
    runtime.send_line(line)
    outcome = runtime.next_message()
    assert (outcome["job_id"], outcome["status"]) == ("unknown", "error")
    assert runtime.call("greet", "Ada")["status"] == "success"


def test_a_request_with_broken_text_is_answered_under_its_own_id(runtime: RuntimeProcess) -> None:
    runtime.request("echo", "\ud800", job_id="a")
    outcome = runtime.outcome("a")
    assert outcome["status"] == "error"
    assert outcome["error_message"].startswith("The line is not a request: ")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"args": {"a": 1}}, "The request is malformed"),
        ({"kwargs": [1]}, "The request is malformed"),
        ({"args": "text"}, "The request is malformed"),
    ],
)
def test_arguments_of_the_wrong_shape_are_an_error_of_that_job(
    runtime: RuntimeProcess, changes: dict[str, object], told: str
) -> None:
    context = {"job_id": "a", "attempt": 1, "enqueue_time": "2026-01-01T12:00:00Z"}
    request = {"job_id": "a", "function_name": "echo", "context": {**context, "queue_name": "q"}}
    runtime.send({**request, **changes})
    outcome = runtime.outcome("a")
    assert outcome["status"] == "error"
    assert outcome["error_message"].startswith(told)


def test_a_time_that_is_none_is_an_error_of_that_job(runtime: RuntimeProcess) -> None:
    outcome = runtime.call("greet", "Ada", context={"deadline": "tomorrow"})
    assert (
        "the field `context.deadline` is no RFC 3339 time: 'tomorrow'" in outcome["error_message"]
    )


def test_blank_lines_are_ignored(runtime: RuntimeProcess) -> None:
    runtime.send_line(b"\n  \n\r\n")
    runtime.request("greet", "Ada", job_id="a")
    assert runtime.next_message()["job_id"] == "a"


def test_unknown_fields_are_ignored(runtime: RuntimeProcess) -> None:
    runtime.request("greet", "Ada", job_id="a", context={"later": {"x": 1}})
    assert runtime.outcome("a")["status"] == "success"


def test_a_line_that_is_too_long_is_refused_and_the_next_one_served(start: Start) -> None:
    runtime = start(options=["--max-message-bytes", "1000000"])
    runtime.next_message()
    runtime.send_line(b"x" * 5_000_000)
    outcome = runtime.next_message()
    assert (outcome["job_id"], outcome["status"]) == ("unknown", "error")
    assert "longer than 1000000 bytes" in outcome["error_message"]
    assert runtime.call("greet", "Ada")["status"] == "success"


def test_short_lines_are_held_to_a_low_limit_too(start: Start) -> None:
    runtime = start(options=["--max-message-bytes", "1024"])
    runtime.next_message()
    runtime.send_line(b"x" * 1025 + b"\n" + b"y" * 1025)
    assert [runtime.next_message()["job_id"] for _ in range(2)] == ["unknown", "unknown"]
    assert runtime.call("greet", "Ada")["status"] == "success"


def test_a_line_that_never_ends_is_not_held_in_memory(start: Start) -> None:
    runtime = start(options=["--max-message-bytes", "100000"])
    runtime.next_message()
    for _ in range(200):
        runtime.stdin.write(b"x" * 1_000_000)
    runtime.send_line(b"")
    assert runtime.next_message()["job_id"] == "unknown"
    assert _resident_bytes(runtime.process.pid) < 150_000_000


def test_a_result_that_makes_too_long_a_line_is_an_error(start: Start) -> None:
    runtime = start(options=["--max-message-bytes", "100000"])
    runtime.next_message()
    outcome = runtime.call("large_result", 100_000)
    assert (outcome["status"], outcome["error_type"]) == ("error", "ResultTooLarge")
    assert "may be sent has 100000 (max_message_bytes)" in outcome["error_message"]


def test_whatever_is_written_to_stdout_goes_to_the_log(runtime: RuntimeProcess) -> None:
    runtime.request("make_noise", job_id="a")
    assert runtime.next_message() == {"job_id": "a", "status": "success", "result": "quiet"}
    log = runtime.log()
    for origin in (
        "print",
        "os.write",
        "a subprocess",
        "a shell",
        "an asyncio subprocess",
    ):
        assert f"from {origin}\n" in log
    assert "to __stdout__\n" in log


def test_a_handler_that_reads_stdin_finds_it_empty(runtime: RuntimeProcess) -> None:
    assert runtime.call("read_stdin")["result"] == ["", ""]


@pytest.mark.skipif(sys.platform != "linux", reason="it needs /proc")
def test_subprocesses_do_not_inherit_the_protocol(runtime: RuntimeProcess) -> None:
    pid = runtime.process.pid
    pipe = str(Path(f"/proc/self/fd/{runtime.stdout.fileno()}").readlink())
    holders = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert pipe in holders
    assert pipe not in runtime.call("open_descriptors_of_a_subprocess")["result"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe's ends differ in inode")
def test_a_forked_child_does_not_have_the_protocol(runtime: RuntimeProcess) -> None:
    inode = os.fstat(runtime.stdout.fileno()).st_ino
    holders = [path.stat() for path in Path(f"/proc/{runtime.process.pid}/fd").iterdir()]
    assert inode in [holder.st_ino for holder in holders]
    assert runtime.call("count_in_forked_child", inode)["result"] == 0


def test_requests_can_come_from_a_file(start: Start, tmp_path: Path) -> None:
    requests = tmp_path / "requests.jsonl"
    context = {"job_id": "a", "attempt": 1, "enqueue_time": "2026-01-01T12:00:00Z"}
    request = {"function_name": "greet", "args": ["Ada"], "context": {**context, "queue_name": "q"}}
    requests.write_text("\n".join(json.dumps({"job_id": str(n), **request}) for n in range(100)))
    with requests.open() as stdin:
        ended = subprocess.run(
            [sys.executable, "-m", "rrq_executor_python", "--settings", "handlers.settings"],
            stdin=stdin,
            capture_output=True,
            cwd=Path(__file__).parent,
            check=True,
            timeout=20,
        )
    outcomes = [json.loads(line) for line in ended.stdout.splitlines()]
    assert sorted(int(one["job_id"]) for one in outcomes) == list(range(100))


def _resident_bytes(pid: int) -> int:
    listing = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return int(listing.stdout) * 1024
