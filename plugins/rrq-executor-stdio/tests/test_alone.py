"""A request that is to run alone has a process for itself, and the others go on around it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rrq.exc import ExecutorLost
from rrq.testing.transport_subject import cancel, has_stopped, is_alive, process_of, release

EXECUTORS = Path(__file__).parent / "executors"


@pytest.fixture
def roomy() -> list[str]:
    """The command of an executor that takes three requests at once."""
    return [sys.executable, str(EXECUTORS / "many_at_once.py"), "normal", "3"]


async def wait_alone(subject: Any, folder: Path, name: str) -> asyncio.Task[Any]:
    """A request that is to run alone, and has to wait for that."""
    task = asyncio.create_task(subject.call("hold", str(folder), name, job_id=name, alone=True))
    await subject.eventually(lambda: subject.transport.extra_seconds(name) > 0)
    assert not (folder / f"{name}.began").exists()
    return task


async def refused(call: Any) -> str:
    """Why a call was refused, without penalty."""
    with pytest.raises(ExecutorLost) as lost:
        await call
    assert not lost.value.penalty
    return lost.value.cause


async def test_nothing_is_sent_to_the_process_of_a_request_that_runs_alone(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        alone = await subject.begin("hold", tmp_path, "alone", alone=True)
        assert subject.transport.capacity == 1
        assert await refused(subject.call("echo")) == "executor 'contract' runs another job alone"
        release(tmp_path, "alone")
        assert (await alone).status == "success"
        assert subject.transport.capacity == 3
        assert (await subject.call("echo")).status == "success"


async def test_a_request_runs_alone_once_those_that_were_there_have_ended(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        others = [await subject.begin("hold", tmp_path, name) for name in ("one", "two")]
        alone = await wait_alone(subject, tmp_path, "alone")
        assert subject.transport.capacity == 3  # two that run, and one that waits
        await refused(subject.call("echo"))
        release(tmp_path, "one")
        await others[0]
        assert subject.transport.capacity == 2
        assert not (tmp_path / "alone.began").exists()
        release(tmp_path, "two")
        await others[1]
        await subject.eventually((tmp_path / "alone.began").exists)
        assert subject.transport.capacity == 1
        release(tmp_path, "alone")
        assert (await alone).status == "success"
        assert subject.transport.capacity == 3


async def test_an_idle_process_is_taken_and_the_others_go_on(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy, pool_size=2) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 6)
        first = await subject.begin("hold", tmp_path, "first")
        alone = await subject.begin("hold", tmp_path, "alone", alone=True)
        assert process_of(tmp_path, "alone") != process_of(tmp_path, "first")
        assert subject.transport.capacity == 4
        others = [await subject.begin("hold", tmp_path, name) for name in "ab"]
        for name in "ab":
            assert process_of(tmp_path, name) == process_of(tmp_path, "first")
        for name in ("first", "alone", "a", "b"):
            release(tmp_path, name)
        await asyncio.gather(first, alone, *others)
        assert subject.transport.capacity == 6


async def test_the_process_with_the_fewest_requests_is_kept_until_another_one_is_idle(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy, pool_size=2) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 6)
        names = ("one", "two", "three")  # the first process has the third one, too
        tasks = [await subject.begin("hold", tmp_path, name) for name in names]
        busy = process_of(tmp_path, "one")
        assert process_of(tmp_path, "three") == busy != process_of(tmp_path, "two")
        alone = await wait_alone(subject, tmp_path, "alone")
        assert subject.transport.capacity == 5
        assert int(bytes((await subject.call("pid")).result)) == busy
        for name in ("one", "three"):
            release(tmp_path, name)
        await subject.eventually((tmp_path / "alone.began").exists)
        assert process_of(tmp_path, "alone") == busy
        # The one that was kept takes others again.
        assert int(bytes((await subject.call("pid")).result)) == process_of(tmp_path, "two")
        assert subject.transport.capacity == 4
        for name in ("two", "alone"):
            release(tmp_path, name)
        await asyncio.gather(alone, *tasks)


async def test_requests_that_are_to_run_alone_follow_one_another_with_nobody_between(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        first = await subject.begin("hold", tmp_path, "first", alone=True)
        tasks = [await wait_alone(subject, tmp_path, name) for name in ("second", "third")]
        assert subject.transport.capacity == 3  # the one that runs, and two that wait
        release(tmp_path, "first")
        await first
        for left, name in enumerate(("second", "third")):
            await subject.eventually((tmp_path / f"{name}.began").exists)
            assert (tmp_path / "third.began").exists() == (name == "third")
            assert subject.transport.capacity == 2 - left
            await refused(subject.call("echo"))
            release(tmp_path, name)
            await tasks[left]
        assert subject.transport.capacity == 3


async def test_a_request_that_waits_in_vain_for_one_that_runs_alone_is_refused(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy, pool_size=2) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 6)
        alone = await subject.begin("hold", tmp_path, "alone", alone=True)
        waiting = [asyncio.create_task(subject.call("echo", alone=True)) for _ in range(9)]
        await subject.eventually(lambda: subject.transport.capacity == 13)
        await refused(subject.call("echo", alone=True))  # there are ten
        assert (await subject.call("echo")).status == "success"
        await asyncio.gather(*(refused(one) for one in waiting))
        assert subject.transport.capacity == 4
        release(tmp_path, "alone")
        assert (await alone).status == "success"
        release(tmp_path, "alone")
        await alone
        assert (await subject.call("echo", alone=True)).status == "success"


async def test_processes_that_take_one_request_each_run_as_many_alone(
    running: Any, plain: list[str], tmp_path: Path
) -> None:
    async with running(plain, pool_size=2, max_in_flight=1) as subject:
        tasks = [await subject.begin("hold", tmp_path, name, alone=True) for name in "ab"]
        assert subject.transport.capacity == 2
        for name in "ab":
            release(tmp_path, name)
        await asyncio.gather(*tasks)


async def test_a_late_hello_brings_no_neighbours_to_a_request_that_runs_alone(
    running: Any, program: Any, tmp_path: Path
) -> None:
    source = f"""
        import pathlib, threading
        def say(**message):
            print(json.dumps(message), flush=True)
        first = json.loads(sys.stdin.readline())
        say(type="hello", protocol_version="1", max_in_flight=3, functions=["any"])
        while not pathlib.Path({str(tmp_path / "go")!r}).exists():
            time.sleep(0.005)
        say(job_id=first["job_id"], status="success")
        for line in sys.stdin:
            say(job_id=json.loads(line)["job_id"], status="success")
    """
    async with running(program(source)) as subject:
        alone = asyncio.create_task(subject.call("any", alone=True))
        await subject.eventually(lambda: subject.transport.describe().capacity == 1)
        await subject.eventually(lambda: subject.transport.describe().functions is not None)
        assert subject.transport.capacity == 1
        await refused(subject.call("any"))
        (tmp_path / "go").touch()
        await alone
        assert subject.transport.capacity == 3
        assert (await subject.call("any")).status == "success"


async def test_a_request_that_is_cancelled_while_it_waits_gives_the_process_back(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        other = await subject.begin("hold", tmp_path, "other")
        alone = await wait_alone(subject, tmp_path, "alone")
        assert subject.transport.capacity == 2
        await cancel(alone)
        assert subject.transport.capacity == 3
        assert (await subject.call("echo")).status == "success"
        release(tmp_path, "other")
        assert (await other).status == "success"


async def test_a_request_that_runs_alone_and_is_cancelled_has_its_process_until_it_stops(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy, cancel_grace_seconds=0.2) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        for function, told in (("hold", 0), ("cling", 1)):
            alone = await subject.begin(function, tmp_path, function, alone=True)
            await cancel(alone)
            assert subject.transport.capacity == 0
            await refused(subject.call("echo"))
            await subject.eventually(lambda: subject.transport.capacity == 3)
            assert has_stopped(tmp_path, function)
            assert subject.transport.describe().restarts == told


@pytest.mark.parametrize("pool_size", [1, 2])
async def test_a_process_that_dies_while_it_is_kept_costs_the_one_that_waits_nothing(
    running: Any, roomy: list[str], tmp_path: Path, pool_size: int
) -> None:
    async with running(roomy, pool_size=pool_size) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3 * pool_size)
        names = ["one", "two", "three"][: 2 * pool_size - 1]
        tasks = [await subject.begin("hold", tmp_path, name) for name in names]
        kept = names[pool_size - 1]
        alone = await wait_alone(subject, tmp_path, "alone")
        os.kill(process_of(tmp_path, kept), signal.SIGKILL)
        with pytest.raises(ExecutorLost) as lost:
            await tasks[pool_size - 1]
        assert lost.value.penalty
        if pool_size == 1:
            assert "has no process that is up" in await refused(alone)
            await subject.eventually(lambda: subject.transport.capacity == 3)
            return
        # It takes what comes first: the process that is left, or the new one.
        await subject.eventually((tmp_path / "alone.began").exists)
        release(tmp_path, "alone")
        assert (await alone).status == "success"
        for name in names:
            release(tmp_path, name)
        await asyncio.gather(*tasks, return_exceptions=True)
        await subject.eventually(lambda: subject.transport.capacity == 6)


async def test_a_request_that_kills_the_process_in_which_it_is_alone_pays_for_it(
    running: Any, roomy: list[str]
) -> None:
    async with running(roomy) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        with pytest.raises(ExecutorLost, match="exited with status 7") as lost:
            await subject.call("die", 7, alone=True)
        assert lost.value.penalty
        await subject.eventually(lambda: subject.transport.capacity == 3)


async def test_a_stop_refuses_the_one_that_waits_and_lets_the_others_end(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        other = await subject.begin("hold", tmp_path, "other")
        alone = await wait_alone(subject, tmp_path, "alone")
        stopping = asyncio.create_task(subject.transport.stop(30))
        assert "is stopping" in await refused(alone)
        assert subject.transport.capacity == 0
        assert not other.done()
        release(tmp_path, "other")
        assert (await other).status == "success"
        await stopping
        assert not is_alive(process_of(tmp_path, "other"))


async def test_the_time_of_a_request_begins_when_its_process_is_empty(
    running: Any, roomy: list[str], tmp_path: Path
) -> None:
    async with running(roomy) as subject:
        await subject.eventually(lambda: subject.transport.capacity == 3)
        other = await subject.begin("hold", tmp_path, "other")
        asked = datetime.now(UTC) + timedelta(seconds=5)
        alone = asyncio.create_task(
            subject.call("request", job_id="alone", alone=True, deadline=asked.isoformat())
        )
        await subject.eventually(lambda: subject.transport.capacity == 2)
        assert subject.transport.extra_seconds("alone") == pytest.approx(5, abs=1)
        assert subject.transport.extra_seconds("other") == 0
        release(tmp_path, "other")
        await other
        received = json.loads(bytes((await alone).result))["context"]
        assert received["alone"] is True
        assert datetime.fromisoformat(received["deadline"]) > asked
        assert subject.transport.extra_seconds("alone") == 0
