"""`stdio_executor.py`: one small file without packages that carries out the jobs of a worker."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rrq.testing.transport_subject import TransportSubject
from rrq_executor_stdio import StdioConfig, StdioTransport

FOLDER = Path(__file__).parents[1]
EXECUTOR = FOLDER / "stdio_executor.py"


def test_it_is_one_file_of_at_most_150_lines_without_packages() -> None:
    source = EXECUTOR.read_text()
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert len(source.splitlines()) <= 150
    assert imported <= sys.stdlib_module_names


def test_it_is_a_plain_executor_to_a_worker_that_knows_no_features() -> None:
    lines = [request("echo", ["a"], "j1"), "", "no request", request("missing", [], "j2")]

    said = talk("\n".join(lines) + "\n", features="")

    assert [one.get("type") for one in said] == [None] * 3
    by_id = {one["job_id"]: one for one in said}
    assert by_id["j1"]["result"] == {"args": ["a"], "kwargs": {}}
    assert by_id["j2"]["error_type"] == "handler_not_found"
    assert by_id["unknown"]["status"] == "error"


def test_it_finishes_what_runs_when_stdin_ends() -> None:
    said = talk(request("sleep", [0.05], "j1"), features="hello,cancel,progress")

    assert [one.get("type", one.get("status")) for one in said] == ["hello", "success"]


def test_a_request_that_is_cancelled_before_it_began_is_answered() -> None:
    cancel = json.dumps({"type": "cancel", "job_id": "j1"})

    said = talk(f"{request('sleep', [600], 'j1')}\n{cancel}\n", features="hello,cancel")

    assert [(one["job_id"], one["error_type"]) for one in said[1:]] == [("j1", "Cancelled")]


def test_a_result_that_cannot_be_sent_is_an_error_that_says_why() -> None:
    said = talk(request("echo", ["\ud800"], "j1"), features="")

    assert said[0]["status"] == "error"
    assert "surrogates not allowed" in said[0]["error_message"]


async def test_the_stdio_transport_runs_it_many_at_once_and_stops_single_requests() -> None:
    config = StdioConfig(cmd=[sys.executable, str(FOLDER / "check_handlers.py")], pool_size=1)
    subject = TransportSubject(lambda context: StdioTransport(config, context))
    await subject.transport.start()
    try:
        await subject.eventually(lambda: subject.transport.capacity == 32)
        assert subject.transport.describe().functions is not None
        unwanted = asyncio.create_task(subject.call("sleep", 600))
        await subject.eventually(lambda: subject.transport.describe().in_flight == 1)
        unwanted.cancel()
        outcomes = await asyncio.gather(*(subject.call("echo", n) for n in range(32)))
        await subject.call("report", 1, 2, "half")
        assert {outcome.status for outcome in outcomes} == {"success"}
        assert [(one.current, one.total, one.message) for one in subject.reports] == [
            (1, 2, "half")
        ]
        await subject.eventually(lambda: subject.transport.capacity == 32)
        assert subject.transport.describe().restarts == 0
    finally:
        await subject.transport.stop(5)


def request(function_name: str, args: list[Any], job_id: str) -> str:
    """A request's line."""
    context = {
        "job_id": job_id,
        "attempt": 1,
        "enqueue_time": "2026-01-01T12:00:00Z",
        "queue_name": "default",
    }
    return json.dumps(
        {
            "protocol_version": "1",
            "job_id": job_id,
            "function_name": function_name,
            "args": args,
            "kwargs": {},
            "context": context,
        }
    )


def talk(text: str, features: str) -> list[dict[str, Any]]:
    """What the executor with all handlers prints when it reads this and no more."""
    ran = subprocess.run(
        [sys.executable, FOLDER / "check_handlers.py"],
        input=text.encode(),
        capture_output=True,
        env={"RRQ_PROTOCOL_FEATURES": features},
        timeout=20,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]
