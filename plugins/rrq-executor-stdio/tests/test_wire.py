"""What goes over stdin and stdout, line by line."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from rrq.exc import ExecutorLost

ANSWER = """
    for line in sys.stdin:
        request = json.loads(line)
        print(%r.replace("JOB", request["job_id"]), flush=True)
"""


async def test_a_request_has_the_fields_of_the_protocol(running: Any, plain: list[str]) -> None:
    async with running(plain) as subject:
        outcome = await subject.call("request", 1, job_id="j1", kwargs='{"a": null}')
    assert json.loads(bytes(outcome.result)) == {
        "protocol_version": "1",
        "job_id": "j1",
        "function_name": "request",
        "args": [1],
        "kwargs": {"a": None},
        "context": {
            "job_id": "j1",
            "attempt": 1,
            "enqueue_time": "2026-01-01T12:00:00Z",
            "queue_name": "rrq:queue:default",
            "deadline": None,
            "trace_context": None,
            "worker_id": "rrq_worker_contract",
            "lease_token": 1,
        },
    }


async def test_the_text_of_a_result_is_not_changed(running: Any, program: Any) -> None:
    text = '{"b": 1.10,  "a": [1e2, 123456789012345678901234567890, "\\u00e9"]}'
    line = '{"job_id": "JOB", "status": "success", "result": ' + text + "}"
    async with running(program(ANSWER % line)) as subject:
        assert bytes((await subject.call("any")).result) == text.encode()


async def test_fields_that_an_outcome_does_not_have_are_ignored(running: Any, program: Any) -> None:
    line = '{"job_id": "JOB", "status": "success", "message": {"total": []}, "features": 1}'
    async with running(program(ANSWER % line)) as subject:
        assert (await subject.call("any")).status == "success"


async def test_blank_lines_are_ignored(running: Any, program: Any) -> None:
    line = '\n  \r\n\n{"job_id": "JOB", "status": "success"}\r\n\t'
    async with running(program(ANSWER % line)) as subject:
        assert (await subject.call("any")).status == "success"
        assert (await subject.call("any")).status == "success"


async def test_an_outcome_that_arrives_in_pieces_is_put_together(
    running: Any, program: Any
) -> None:
    source = """
        for line in sys.stdin:
            text = json.dumps({"job_id": json.loads(line)["job_id"], "status": "success"}) + "\\n"
            for byte in text.encode():
                os.write(1, bytes([byte]))
    """
    async with running(program(source)) as subject:
        assert (await subject.call("any")).status == "success"


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        '{"job_id": "JOB"}',
        '{"job_id": "JOB", "status": "done"}',
        '{"job_id": "unknown", "status": "error", "error_message": "not a request"}',
        '{"job_id": "JOB", "status": "success", "result": NaN}',
        '{"type": "news", "job_id": "JOB"}',
        "[1]",
    ],
)
async def test_a_line_that_is_no_outcome_is_logged_and_costs_the_process_its_place(
    running: Any, program: Any, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    async with running(program(ANSWER % line)) as subject:
        with pytest.raises(ExecutorLost) as lost:
            await subject.call("any", job_id="j1")
    printed = line.replace("JOB", "j1")
    assert f"broke the protocol: {printed}" in lost.value.cause
    assert lost.value.penalty
    assert any(
        record.levelno == logging.ERROR and printed in record.getMessage()
        for record in caplog.records
        if record.name == "rrq.executor.contract"
    )


async def test_a_malformed_line_is_told_by_its_first_200_characters_and_escaped(
    running: Any, plain: list[str]
) -> None:
    async with running(plain) as subject:
        with pytest.raises(ExecutorLost) as lost:
            await subject.call("garbage", "\x1b[2J\x07" + "é" * 5000)
    assert lost.value.cause.endswith("broke the protocol: \\x1b[2J\\x07" + "é" * 195)


async def test_a_result_that_is_not_utf_8_breaks_the_protocol(running: Any, program: Any) -> None:
    source = r"""
        for line in sys.stdin:
            start = b'{"job_id": "%s", "status": "success", "result": "'
            os.write(1, start % json.loads(line)["job_id"].encode() + b'\xff"}\n')
    """
    async with running(program(source)) as subject:
        with pytest.raises(ExecutorLost, match="broke the protocol"):
            await subject.call("any")


async def test_a_second_answer_to_a_request_breaks_the_protocol(running: Any, program: Any) -> None:
    source = """
        for line in sys.stdin:
            outcome = json.dumps({"job_id": json.loads(line)["job_id"], "status": "success"})
            print(outcome + "\\n" + outcome, flush=True)
    """
    async with running(program(source)) as subject:
        assert (await subject.call("any")).status == "success"
        await subject.eventually(lambda: subject.transport.describe().restarts == 1)
        assert "broke the protocol" in subject.transport.describe().last_error


async def test_a_request_that_is_too_long_is_an_error_of_its_own(
    running: Any, plain: list[str]
) -> None:
    async with running(plain, max_message_bytes=2000) as subject:
        before = await subject.call("pid")
        outcome = await subject.call("echo", "x" * 2000)
        assert outcome.status == "error"
        assert "max_message_bytes" in (outcome.error_message or "")
        assert "2000" in (outcome.error_message or "")
        assert bytes((await subject.call("pid")).result) == bytes(before.result)


@pytest.mark.parametrize("end", [r"\n", ""])
async def test_a_line_that_is_too_long_breaks_the_protocol(
    running: Any, program: Any, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    source = f"""
        for line in sys.stdin:
            os.write(1, b"x" * 5000 + b"{end}")
    """
    async with running(program(source), max_message_bytes=4000) as subject:
        with pytest.raises(ExecutorLost, match="broke the protocol: xxx"):
            await subject.call("any")
    assert "longer than max_message_bytes" in caplog.text


async def test_an_executor_that_did_not_offer_cancel_is_never_sent_one(
    running: Any, program: Any, tmp_path: Any
) -> None:
    received = tmp_path / "received"
    source = f"""
        hello = {{"type": "hello", "protocol_version": "1", "max_in_flight": 2}}
        print(json.dumps(hello), flush=True)
        for line in sys.stdin:
            with open({str(received)!r}, "a") as file:
                file.write(line)
    """
    async with running(program(source)) as subject:
        task = asyncio.create_task(subject.call("any", job_id="j1"))
        await subject.eventually(lambda: received.exists() and received.read_text().endswith("\n"))
        task.cancel()
        await asyncio.wait((task,))
        await subject.eventually(lambda: subject.transport.capacity == 2)
    assert [json.loads(line)["job_id"] for line in received.read_text().splitlines()] == ["j1"]
    assert '"type"' not in received.read_text()


async def test_a_process_that_never_reads_holds_up_no_other_and_can_be_cancelled(
    running: Any, program: Any
) -> None:
    async with running(program("time.sleep(600)"), max_in_flight=4) as subject:
        text = json.dumps(["x" * 1_000_000])
        tasks = [asyncio.create_task(subject.call("any", args=text)) for _ in range(4)]
        await subject.eventually(lambda: subject.transport.describe().in_flight == 4)
        tasks[0].cancel()
        _, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(lost, ExecutorLost) and not lost.penalty for lost in others)
        await subject.eventually(lambda: subject.transport.capacity == 4)
