"""SIGTERM: what can end within the grace period ends, the rest goes back at once, exit code 0."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest

from rrq.cancelling import cancelled
from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.rig import Rig
from tests.support.waiting import eventually


async def test_on_sigterm_short_jobs_end_and_long_ones_go_back_at_once_without_penalty(
    rig: Rig,
) -> None:
    stopped = await rig.worker(worker_shutdown_grace_period_seconds=1.0, lease_seconds=60.0)
    short = await rig.enqueue_many("sleeping", 4, 0.6)
    long = await rig.enqueue_many("sleeping", 4, 3)
    await eventually(lambda: len(rig.ledger.starts()) == 8, 10, "eight runs")

    began = time.monotonic()
    assert await stopped.stop() == 0
    assert time.monotonic() - began < 4
    assert set((await rig.statuses(short)).values()) == {"COMPLETED"}
    assert set((await rig.statuses(long)).values()) == {"PENDING"}

    # With a lease of a minute: nobody had to wait for it to run out.
    await rig.worker()
    await rig.all_ended(long, 10)
    for job_id in long:
        assert len(rig.ledger.starts(job_id)) == 2
        assert (await rig.job(job_id)).current_retries == 0
        assert await rig.field(job_id, "lost_count") == ""
    assert await all_is_accounted_for(rig, [*short, *long]) == {"COMPLETED": 8}
    await nothing_is_left(rig)


async def test_a_second_signal_does_not_wait_for_the_grace_period(rig: Rig) -> None:
    worker = await rig.worker(worker_shutdown_grace_period_seconds=60.0)
    job_id = await rig.enqueue("sleeping", 60)
    await rig.running(job_id)

    worker.send(signal.SIGTERM)
    await eventually(lambda: worker.lines("Stopping: 1 job is"), 5, "the first signal's effect")
    assert await worker.stop(within_seconds=5) == 0

    assert await rig.statuses([job_id]) == {job_id: "PENDING"}
    assert rig.ledger.ends() == []
    await nothing_is_left(rig)


async def test_a_worker_told_to_stop_under_full_load_ends_every_time_and_loses_nothing(
    rig: Rig,
) -> None:
    job_ids = await rig.enqueue_many("quick", 2000)
    for share in range(1, 3):
        worker = await rig.worker()
        await eventually(
            lambda share=share: len(rig.ledger.ends()) > share * 300, 15, f"{share} tenths"
        )
        assert await worker.stop(within_seconds=10) == 0
    await rig.worker()
    await rig.all_ended(job_ids, 30)

    assert all(len(runs) == 1 for runs in rig.ledger.runs_by_job().values())
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 2000}
    await nothing_is_left(rig)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="wait_for loses nothing any more")
async def test_stages_are_cancelled_until_they_hear_it() -> None:
    async def no_time() -> None: ...

    async def stage() -> None:
        while True:
            await asyncio.wait_for(no_time(), 5)
            await asyncio.sleep(0)

    stages = [asyncio.create_task(stage()) for _ in range(20)]
    await asyncio.sleep(0.01)
    # One word is lost on most of them.
    await asyncio.wait_for(cancelled(stages), 60)
    assert all(task.cancelled() for task in stages)
