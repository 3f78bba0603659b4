"""How processes end, what becomes of their requests, and how they are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from rrq.exc import ExecutorLost
from rrq.testing.transport_subject import cancel, process_of, release
from rrq_executor_stdio.place import replacement_delay_seconds
from tests.support.processes import is_alive
from tests.support.waiting import eventually, eventually_blocking


async def pid_of(subject: Any) -> int:
    return int(bytes((await subject.call("pid")).result))


def move(source: str, target: str) -> None:
    Path(source).rename(target)


async def test_the_exit_status_is_the_cause_of_a_loss(running: Any, plain: list[str]) -> None:
    async with running(plain) as subject:
        pid = await pid_of(subject)
        with pytest.raises(ExecutorLost) as lost:
            await subject.call("die", 7)
    assert lost.value.cause == f"executor 'contract' process {pid} exited with status 7"


async def test_the_signal_is_the_cause_of_a_loss(
    running: Any, plain: list[str], tmp_path: Path
) -> None:
    async with running(plain) as subject:
        task = await subject.begin("hold", tmp_path, "held")
        os.kill(process_of(tmp_path, "held"), signal.SIGKILL)
        with pytest.raises(ExecutorLost, match="was killed by signal SIGKILL") as lost:
            await task
    assert lost.value.penalty


async def test_a_process_that_closes_its_stdout_is_killed(running: Any, program: Any) -> None:
    source = """
        sys.stdin.readline()
        os.close(1)
        time.sleep(600)
    """
    async with running(program(source)) as subject:
        with pytest.raises(ExecutorLost, match="closed its stdout") as lost:
            await subject.call("any")
    assert lost.value.penalty


async def test_an_outcome_printed_just_before_the_exit_counts(
    running: Any, program: Any, tmp_path: Path
) -> None:
    source = f"""
        request = json.loads(sys.stdin.readline())
        with open({str(tmp_path / "pid")!r}, "w") as file:
            file.write(str(os.getpid()))
        print(json.dumps({{"job_id": request["job_id"], "status": "success"}}), flush=True)
        os._exit(1)
    """

    def has_exited() -> bool:
        pid = tmp_path / "pid"
        return pid.exists() and pid.read_text() != "" and not is_alive(int(pid.read_text()))

    async with running(program(source)) as subject:
        task = asyncio.create_task(subject.call("any"))
        for _ in range(3):  # turns of the loop, in which the request leaves
            await asyncio.sleep(0)
        # The loop is kept from looking, so that it learns of the exit and the outcome at once.
        eventually_blocking(has_exited)
        assert (await task).status == "success"


async def test_what_a_process_started_ends_with_it(running: Any, plain: list[str]) -> None:
    async with running(plain) as subject:
        child = int(bytes((await subject.call("child")).result))
        assert is_alive(child)
        with pytest.raises(ExecutorLost):
            await subject.call("die", 1)
        await subject.eventually(lambda: not is_alive(child))


async def test_a_process_is_beyond_the_reach_of_the_terminals_signals(
    running: Any, plain: list[str]
) -> None:
    async with running(plain) as subject:
        pid = await pid_of(subject)
        assert os.getpgid(pid) == pid != os.getpgid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
async def test_a_process_that_ignores_its_stdin_dies_with_the_worker(
    plain: list[str], tmp_path: Path
) -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, *plain, env={**os.environ, "FOLDER": str(tmp_path)}
    )
    began = tmp_path / "held.began"
    await eventually(lambda: began.exists() and began.read_text(), within_seconds=30)
    worker.kill()
    await worker.wait()
    await eventually(lambda: not is_alive(process_of(tmp_path, "held")))


_WORKER = """
import asyncio, os, sys
from rrq.testing.transport_subject import TransportSubject
from rrq_executor_stdio import StdioConfig, StdioTransport

async def main():
    config = StdioConfig(cmd=sys.argv[1:], pool_size=1)
    subject = TransportSubject(lambda context: StdioTransport(config, context))
    await subject.transport.start()
    await subject.call("cling", os.environ["FOLDER"], "held")

asyncio.run(main())
"""


async def test_a_silent_request_costs_the_process_its_place_and_only_itself_a_penalty(
    running: Any, greeting: list[str], tmp_path: Path
) -> None:
    async with running(greeting, response_timeout_seconds=1.0) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 2)
        hung = await subject.begin("hold", tmp_path, "hung", job_id="hung")
        begun_at = asyncio.get_running_loop().time()
        await subject.eventually(lambda: asyncio.get_running_loop().time() > begun_at + 0.5)
        neighbour = await subject.begin("hold", tmp_path, "neighbour")
        with pytest.raises(ExecutorLost, match="did not answer job hung within 1 s") as lost:
            await hung
        assert lost.value.penalty
        with pytest.raises(ExecutorLost) as lost:
            await neighbour
        assert not lost.value.penalty


async def test_progress_is_a_sign_of_life(running: Any, program: Any) -> None:
    source = """
        for line in sys.stdin:
            job_id = json.loads(line)["job_id"]
            for n in range(10):
                time.sleep(0.1)
                print(json.dumps({"type": "progress", "job_id": job_id}), flush=True)
            print(json.dumps({"job_id": job_id, "status": "success"}), flush=True)
    """
    async with running(program(source), response_timeout_seconds=0.6) as subject:
        assert (await subject.call("any")).status == "success"


async def test_a_request_that_clings_costs_its_neighbour_no_penalty(
    running: Any, greeting: list[str], tmp_path: Path
) -> None:
    async with running(greeting, cancel_grace_seconds=0.1) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 2)
        clinging = await subject.begin("cling", tmp_path, "clinging", job_id="j1")
        neighbour = await subject.begin("hold", tmp_path, "neighbour")
        await cancel(clinging)
        assert subject.transport.capacity == 1
        with pytest.raises(ExecutorLost, match="to stop the cancelled job j1") as lost:
            await neighbour
        assert not lost.value.penalty


async def test_an_idle_process_that_dies_is_replaced(running: Any, plain: list[str]) -> None:
    async with running(plain) as subject:
        pid = await pid_of(subject)
        told = subject.capacity_changes
        os.kill(pid, signal.SIGKILL)
        await subject.eventually(lambda: subject.capacity_changes == told + 2)
        assert subject.transport.capacity == 1
        assert await pid_of(subject) != pid


async def test_processes_take_turns(running: Any, plain: list[str]) -> None:
    async with running(plain, pool_size=3) as subject:
        turns = [await pid_of(subject) for _ in range(6)]
    assert len(set(turns)) == 3
    assert turns[:3] == turns[3:]


async def test_the_process_with_the_most_room_takes_the_next_request(
    running: Any, greeting: list[str], tmp_path: Path
) -> None:
    async with running(greeting, pool_size=2) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 4)
        tasks = [await subject.begin("hold", tmp_path, name) for name in "abcd"]
        pids = [process_of(tmp_path, name) for name in "abcd"]
        assert pids[0] != pids[1]
        assert sorted(pids[:2]) == sorted(pids[2:])
        for name in "abcd":
            release(tmp_path, name)
        await asyncio.gather(*tasks)


def test_bad_starts_in_a_row_are_spaced_out() -> None:
    delays = [replacement_delay_seconds(n) for n in range(10)]
    assert delays == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]


async def test_a_program_that_vanishes_is_looked_for_until_it_is_back(
    running: Any, program: Any
) -> None:
    cmd = program("sys.stdin.readline(); os._exit(9)")
    script, away = cmd[1], f"{cmd[1]}.away"
    async with running(cmd) as subject:
        move(script, away)
        with pytest.raises(ExecutorLost):
            await subject.call("any")
        await subject.eventually(
            lambda: "while it started" in (subject.transport.describe().last_error or "")
        )
        move(away, script)
        await subject.eventually(lambda: subject.transport.capacity == 1)


async def test_stderr_is_logged_line_by_line_with_the_process_id(
    running: Any, plain: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rrq.executor.contract")
    async with running(plain) as subject:
        pid = await pid_of(subject)
        await subject.call("log", "first line\nsecond \xe9")
        await subject.eventually(lambda: "second" in caplog.text)
    assert [r.getMessage() for r in caplog.records if r.name == "rrq.executor.contract"] == [
        f"[{pid}] first line",
        f"[{pid}] second é",
    ]


async def test_a_long_line_on_stderr_is_cut(
    running: Any, plain: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rrq.executor.contract")
    async with running(plain) as subject:
        await subject.call("log", "x" * 1_000_000 + "\nnext")
        await subject.eventually(lambda: "next" in caplog.text)
    long, following = (r.getMessage() for r in caplog.records if r.name == "rrq.executor.contract")
    assert 8192 < len(long) < 8300
    assert following.endswith("] next")


async def test_a_flood_on_stderr_is_logged_whole_a_little_in_each_turn_of_the_loop(
    running: Any, plain: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rrq.executor.contract")
    most = 0
    async with running(plain) as subject:
        flood = asyncio.create_task(subject.call("flood", 800_000))
        while not flood.done() or len(caplog.records) < 10_000:
            before = len(caplog.records)
            await asyncio.sleep(0)
            most = max(most, len(caplog.records) - before)
    assert 0 < most <= 200
