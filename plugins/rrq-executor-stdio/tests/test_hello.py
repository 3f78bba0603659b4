"""What an executor may say of itself, and how one that says nothing is treated."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from rrq.exc import ExecutorStartError
from rrq.testing.transport_subject import TransportSubject
from rrq_executor_stdio import StdioConfig, StdioTransport

HELLO = """
    hello = {"type": "hello", "protocol_version": "1", **json.loads(%r)}
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        pass
"""


class GreetedTransport(StdioTransport):
    expects_hello = True


@pytest.mark.parametrize(
    ("configured", "offered", "capacity"),
    [(None, 8, 8), (None, None, 1), (4, None, 4), (4, 8, 4), (8, 4, 4)],
)
async def test_a_process_takes_the_smaller_of_what_it_wants_and_what_is_configured(
    running: Any, program: Any, configured: int | None, offered: int | None, capacity: int
) -> None:
    cmd = program(HELLO % json.dumps({"max_in_flight": offered}))
    async with running(cmd, max_in_flight=configured) as subject:
        await subject.eventually(lambda: subject.transport.capacity == capacity)


async def test_functions_and_runtime_are_told_on_as_hello_named_them(
    running: Any, program: Any
) -> None:
    words = {"functions": ["a", "b"], "runtime": "ruby 3.4"}
    async with running(program(HELLO % json.dumps(words))) as subject:
        await subject.eventually(lambda: subject.transport.describe().runtime == "ruby 3.4")
        assert subject.transport.describe().functions == ("a", "b")


async def test_a_hello_of_another_version_is_an_error_at_start(
    subject_of: Any, program: Any
) -> None:
    subject = subject_of(program(HELLO % json.dumps({"protocol_version": "2"})))
    with pytest.raises(ExecutorStartError, match=r"version '2' .* this worker speaks '1'"):
        await subject.transport.start()


async def test_a_hello_that_offers_no_room_is_an_error_at_start(
    subject_of: Any, program: Any
) -> None:
    subject = subject_of(program(HELLO % json.dumps({"max_in_flight": 0})))
    with pytest.raises(ExecutorStartError, match="max_in_flight"):
        await subject.transport.start()


async def test_a_hello_that_is_not_the_first_line_breaks_the_protocol(
    running: Any, program: Any
) -> None:
    source = """
        for line in sys.stdin:
            print(json.dumps({"job_id": json.loads(line)["job_id"], "status": "success"}))
            print(json.dumps({"type": "hello", "protocol_version": "1"}), flush=True)
    """
    async with running(program(source)) as subject:
        assert (await subject.call("any")).status == "success"
        await subject.eventually(lambda: subject.transport.describe().restarts == 1)
        assert "broke the protocol" in subject.transport.describe().last_error


async def test_a_late_hello_changes_the_capacity_and_says_so(
    running: Any, program: Any, tmp_path: Any
) -> None:
    cue = tmp_path / "cue"
    wait = f"    while not os.path.exists({str(cue)!r}): time.sleep(0.01)"
    async with running(program(wait + HELLO % '{"max_in_flight": 9}')) as subject:
        assert subject.transport.capacity == 1
        told = subject.capacity_changes
        cue.touch()
        await subject.eventually(lambda: subject.transport.capacity == 9)
        assert subject.capacity_changes == told + 1


async def test_time_is_added_until_a_process_first_shows_life(
    running: Any, program: Any, tmp_path: Any
) -> None:
    cue = tmp_path / "cue"
    source = f"""
        while not os.path.exists({str(cue)!r}): time.sleep(0.01)
        for line in sys.stdin:
            if json.loads(line)["job_id"] != "second":
                print(json.dumps({{"job_id": json.loads(line)["job_id"], "status": "success"}}),
                      flush=True)
    """
    async with running(program(source), start_timeout_seconds=20) as subject:
        first = asyncio.create_task(subject.call("any", job_id="first"))
        await asyncio.sleep(0)
        assert 0 < subject.transport.extra_seconds("first") < 20
        cue.touch()
        await first
        second = asyncio.create_task(subject.call("any", job_id="second"))
        await asyncio.sleep(0)
        assert subject.transport.extra_seconds("second") == 0
        second.cancel()


async def test_no_time_is_added_once_the_start_has_taken_too_long(
    running: Any, program: Any
) -> None:
    async with running(program("time.sleep(600)"), start_timeout_seconds=0.1) as subject:
        task = asyncio.create_task(subject.call("any", job_id="only"))
        await subject.eventually(lambda: subject.transport.describe().in_flight == 1)
        await subject.eventually(lambda: subject.transport.extra_seconds("only") == 0)
        task.cancel()


async def test_a_transport_that_expects_hello_does_not_start_without_it(program: Any) -> None:
    config = StdioConfig(cmd=program("time.sleep(600)"), pool_size=1, start_timeout_seconds=0.2)
    subject = TransportSubject(lambda context: GreetedTransport(config, context))
    with pytest.raises(ExecutorStartError, match=r"did not say hello within 0\.2 s"):
        await subject.transport.start()
    assert subject.transport.describe().processes == 0


async def test_progress_of_a_job_that_the_process_does_not_have_is_dropped(
    running: Any, program: Any
) -> None:
    source = """
        for line in sys.stdin:
            job_id = json.loads(line)["job_id"]
            for name in ("other", job_id):
                print(json.dumps({"type": "progress", "job_id": name, "current": 1}))
            print(json.dumps({"job_id": job_id, "status": "success"}), flush=True)
    """
    async with running(program(source)) as subject:
        assert (await subject.call("any", job_id="mine")).status == "success"
        assert [report.job_id for report in subject.reports] == ["mine"]
