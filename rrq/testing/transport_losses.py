"""The transport contract: executors that are lost, and requests that are cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from rrq.exc import ExecutorLost
from rrq.testing.transport_subject import cancel, has_stopped, is_alive, process_of, release
from rrq.testing.transport_tests import TransportTests

GARBAGE = (
    "debug: here I am",
    '{"job_id": "unasked", "status": "perhaps"}',
    '{"job_id": "unasked", "status": "success", "result": 1}',
)
"""Lines that are no outcome: no JSON, an unknown status, an answer that nobody waits for."""


class LossTests(TransportTests):
    """What becomes of requests that have no outcome."""

    async def test_a_request_whose_executor_dies_is_lost_with_penalty(self) -> None:
        async with self.running() as subject:
            with pytest.raises(ExecutorLost) as lost:
                await subject.call("die", 3)
            assert lost.value.penalty
            assert lost.value.cause

    async def test_a_request_whose_executor_dies_is_not_sent_to_another(
        self, tmp_path: Path
    ) -> None:
        async with self.running(executors=2) as subject:
            request = await subject.begin("hold", tmp_path, "once")
            began = tmp_path / "once.began"
            process = int(began.read_text())
            began.unlink()
            os.kill(process, signal.SIGKILL)
            with pytest.raises(ExecutorLost):
                async with asyncio.timeout(self.soon_seconds):
                    await request
            assert not began.exists()

    async def test_a_dead_executor_is_replaced_and_the_change_is_told(self) -> None:
        async with self.running() as subject:
            await subject.eventually(lambda: subject.transport.capacity == 1)
            told = subject.capacity_changes
            with pytest.raises(ExecutorLost):
                await subject.call("die", 3)
            await subject.eventually(lambda: subject.transport.capacity == 1)
            assert subject.capacity_changes > told
            assert (await subject.call("echo")).status == "success"
            assert subject.transport.describe().restarts == 1
            assert subject.transport.describe().last_error

    async def test_the_end_of_one_executor_does_not_touch_another(self, tmp_path: Path) -> None:
        async with self.running(executors=2) as subject:
            other = await subject.begin("hold", tmp_path, "other")
            with pytest.raises(ExecutorLost):
                await subject.call("die", 0)
            release(tmp_path, "other")
            assert (await other).status == "success"

    @pytest.mark.parametrize("garbage", GARBAGE)
    async def test_a_malformed_answer_costs_the_executor_its_place(self, garbage: str) -> None:
        if not self.can_print_garbage:
            pytest.skip("these executors cannot print where an outcome is expected")
        async with self.running() as subject:
            before = int(bytes((await subject.call("pid")).result))
            with pytest.raises(ExecutorLost) as lost:
                await subject.call("garbage", garbage)
            assert lost.value.penalty
            assert garbage in lost.value.cause
            after = int(bytes((await subject.call("pid")).result))
            assert subject.transport.describe().restarts == 1
            if self.ends_executors:
                assert after != before
                await subject.eventually(lambda: not is_alive(before))

    async def test_a_cancelled_request_stops_and_gives_its_place_back(self, tmp_path: Path) -> None:
        async with self.running() as subject:
            request = await subject.begin("hold", tmp_path, "unwanted")
            await cancel(request)
            await subject.eventually(lambda: has_stopped(tmp_path, "unwanted"))
            await subject.eventually(lambda: subject.transport.capacity == 1)
            assert (await subject.call("echo")).status == "success"

    async def test_a_cancelled_request_leaves_its_neighbour_alone(self, tmp_path: Path) -> None:
        if not self.stops_single_requests:
            pytest.skip("these executors stop a request by ending the process")
        async with self.running(in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 2)
            unwanted = await subject.begin("hold", tmp_path, "unwanted")
            neighbour = await subject.begin("hold", tmp_path, "neighbour")
            await cancel(unwanted)
            await subject.eventually(lambda: subject.transport.capacity == 2)
            release(tmp_path, "neighbour")
            assert (await neighbour).status == "success"

    async def test_a_request_that_is_cancelled_while_it_waits_is_never_carried_out(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            running = await subject.begin("hold", tmp_path, "running")
            waiting = asyncio.create_task(subject.call("hold", str(tmp_path), "waiting"))
            await asyncio.sleep(0)  # it waits inside the transport by now
            await cancel(waiting)
            release(tmp_path, "running")
            assert (await running).status == "success"
            await subject.eventually(lambda: subject.transport.capacity == 1)
            assert (await subject.call("echo")).status == "success"
            assert not (tmp_path / "waiting.began").exists()

    async def test_a_neighbour_of_a_request_that_does_not_stop_is_not_to_blame(
        self, tmp_path: Path
    ) -> None:
        async with self.running(in_flight=2) as subject:
            await subject.eventually(lambda: subject.transport.capacity == 2)
            neighbour = await subject.begin("hold", tmp_path, "neighbour")
            clinging = await subject.begin("cling", tmp_path, "clinging")
            shares = process_of(tmp_path, "neighbour") == process_of(tmp_path, "clinging")
            await cancel(clinging)
            if shares:
                with pytest.raises(ExecutorLost) as lost:
                    await neighbour
                assert not lost.value.penalty
            release(tmp_path, "neighbour")
            if not shares:
                assert (await neighbour).status == "success"

    async def test_a_request_that_does_not_stop_takes_room_until_its_executor_is_replaced(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            clinging = await subject.begin("cling", tmp_path, "clinging")
            await cancel(clinging)
            assert subject.transport.capacity == 0
            told = subject.capacity_changes
            await subject.eventually(lambda: subject.transport.capacity == 1)
            assert subject.capacity_changes > told
            assert not is_alive(process_of(tmp_path, "clinging"))
