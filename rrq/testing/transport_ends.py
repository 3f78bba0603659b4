"""The transport contract: the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rrq.exc import ExecutorLost
from rrq.testing.transport_subject import cancel, is_alive, process_of, release
from rrq.testing.transport_tests import TransportTests


class EndTests(TransportTests):
    """A transport stops, in time and whole."""

    async def test_a_transport_that_was_not_started_takes_nothing_and_can_be_stopped(self) -> None:
        transport = self.subject().transport
        assert transport.capacity == 0
        async with asyncio.timeout(self.soon_seconds):
            await transport.stop(600)
        assert transport.describe().processes == 0

    async def test_a_stop_lets_a_running_request_finish(self, tmp_path: Path) -> None:
        async with self.running() as subject:
            running = await subject.begin("hold", tmp_path, "running")
            stopping = asyncio.create_task(subject.transport.stop(self.soon_seconds))
            # Long enough for one that would not wait to be seen.
            ended, _ = await asyncio.wait({running, stopping}, timeout=0.3)
            assert not ended
            assert subject.transport.capacity == 0
            release(tmp_path, "running")
            assert (await running).status == "success"
            await stopping

    async def test_a_request_that_outlasts_the_grace_is_lost_without_penalty(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            endless = await subject.begin("cling", tmp_path, "endless")
            async with asyncio.timeout(self.soon_seconds):
                await subject.transport.stop(0.1)
            with pytest.raises(ExecutorLost) as lost:
                await endless
            assert not lost.value.penalty

    async def test_a_stop_with_nothing_to_wait_for_does_not_use_its_grace(
        self, tmp_path: Path
    ) -> None:
        async with self.running() as subject:
            held = await subject.begin("hold", tmp_path, "held")
            await cancel(held)
            await subject.eventually(lambda: subject.transport.capacity == 1)
            async with asyncio.timeout(self.soon_seconds):
                await subject.transport.stop(600)

    async def test_a_second_stop_cuts_the_grace_of_the_first(self, tmp_path: Path) -> None:
        async with self.running() as subject:
            endless = await subject.begin("cling", tmp_path, "endless")
            patient = asyncio.create_task(subject.transport.stop(600))
            await asyncio.sleep(0)
            async with asyncio.timeout(self.soon_seconds):
                await subject.transport.stop(0)
                await patient
            with pytest.raises(ExecutorLost):
                await endless

    async def test_a_stopped_transport_refuses_requests_without_penalty(self) -> None:
        async with self.running() as subject:
            await subject.transport.stop(0)
            await subject.transport.stop(0)
            with pytest.raises(ExecutorLost) as refused:
                await subject.call("echo")
            assert not refused.value.penalty

    async def test_a_stop_leaves_no_process_behind(self, tmp_path: Path) -> None:
        if not self.ends_executors:
            pytest.skip("this transport starts no processes")
        async with self.running(executors=2) as subject:
            tasks = [await subject.begin("cling", tmp_path, name) for name in ("one", "two")]
            pids = [process_of(tmp_path, name) for name in ("one", "two")]
            assert all(is_alive(pid) for pid in pids)
            await subject.transport.stop(0)
            assert not any(is_alive(pid) for pid in pids)
            assert subject.transport.describe().processes == 0
            await asyncio.gather(*tasks, return_exceptions=True)

    async def test_a_stop_leaves_no_task_behind(self, tmp_path: Path) -> None:
        before = asyncio.all_tasks()
        async with self.running(executors=2) as subject:
            await subject.call("echo")
            await cancel(await subject.begin("hold", tmp_path, "unwanted"))
        await subject.eventually(lambda: asyncio.all_tasks() <= before)
