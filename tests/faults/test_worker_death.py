"""A worker that dies or freezes loses no job, and can settle none any more."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.rig import PYTHON_EXECUTOR, Rig, WorkerProcess, fault_server
from tests.support.processes import children_of, is_alive
from tests.support.stalls import stalls
from tests.support.waiting import eventually

RECOVERY_SECONDS = 2.0
"""What may pass beyond the lease before all jobs of a dead worker run again."""


async def kill_in_the_middle(rig: Rig, victim: WorkerProcess, job_ids: list[str]) -> float:
    """Kill a worker when a third of the jobs has ended and some run at it; when that was."""
    await eventually(lambda: len(rig.ledger.ends()) > len(job_ids) // 3, 20, "a third of the jobs")
    executors = children_of(victim.pid)
    assert executors

    def are_stopped_in_the_middle() -> bool:
        # On a machine that stalls, all runs of a moment ago may have ended.
        for pid in executors:
            os.kill(pid, signal.SIGSTOP)
        if any(entry.pid in executors for entry in rig.ledger.running()):
            return True
        for pid in executors:
            os.kill(pid, signal.SIGCONT)
        return False

    await eventually(are_stopped_in_the_middle, 10, "a run at the worker")
    at = time.time()
    victim.kill()
    return at


def jobs_of_the_dead(rig: Rig, killed_at: float) -> set[str]:
    """Jobs with a run that had begun before the kill and never ended."""
    return {entry.job_id for entry in rig.ledger.running() if entry.time <= killed_at}


def latest_second_start(rig: Rig, job_ids: set[str], after: float) -> float:
    return max(
        min(entry.time for entry in rig.ledger.starts(job_id) if entry.time > after)
        for job_id in job_ids
    )


async def test_jobs_of_a_killed_worker_run_again_on_another_within_lease_and_two_seconds(
    rig: Rig,
) -> None:
    victim, _ = rig.start_worker(), rig.start_worker()
    for worker in rig.workers:
        await rig.ready(worker)
    job_ids = await rig.enqueue_many("sleeping", 200, 0.2)

    with stalls() as stalled:
        killed_at = await kill_in_the_middle(rig, victim, job_ids)
        await rig.all_ended(job_ids, 30)

    orphans = jobs_of_the_dead(rig, killed_at)
    assert orphans
    limit = rig.settings.lease_seconds + RECOVERY_SECONDS + stalled.seconds
    assert latest_second_start(rig, orphans, killed_at) <= killed_at + limit
    counts = await all_is_accounted_for(rig, job_ids)
    assert counts == {"COMPLETED": 200}
    await nothing_is_left(rig)


async def test_a_worker_that_starts_after_the_kill_finds_the_jobs_of_the_dead_one(
    rig: Rig,
) -> None:
    victim = await rig.worker()
    job_ids = await rig.enqueue_many("sleeping", 200, 0.1)

    with stalls() as stalled:
        killed_at = await kill_in_the_middle(rig, victim, job_ids)
        orphans = jobs_of_the_dead(rig, killed_at)
        survivor = await rig.worker()
        ready_at = time.time()
        await rig.all_ended(job_ids, 30)

    assert orphans
    limit = max(killed_at + rig.settings.lease_seconds, ready_at) + RECOVERY_SECONDS
    assert latest_second_start(rig, orphans, killed_at) <= limit + stalled.seconds
    assert len(survivor.lines("was lost with worker")) >= len(orphans)
    for job_id in orphans:
        assert await rig.field(job_id, "lost_count") == "1"
        assert (await rig.job(job_id)).current_retries == 0
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 200}
    await nothing_is_left(rig)


@pytest.mark.timeout(60)
async def test_with_the_default_lease_recovery_takes_at_most_twelve_seconds(tmp_path: Path) -> None:
    with fault_server() as server:
        async with Rig(server, tmp_path, lease_seconds=10.0) as rig:
            victim = await rig.worker()
            job_ids = await rig.enqueue_many("sleeping", 4, 0.5)
            await eventually(lambda: len(rig.ledger.starts()) == 4, 10, "four runs")
            with stalls() as stalled:
                killed_at = time.time()
                victim.kill()
                rig.start_worker()
                await eventually(lambda: len(rig.ledger.starts()) == 8, 30, "four more runs")

            limit = 12 + stalled.seconds
            assert latest_second_start(rig, set(job_ids), killed_at) <= killed_at + limit
            await rig.all_ended(job_ids, 20)
            assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 4}
            await nothing_is_left(rig)


async def test_a_killed_worker_leaves_no_executor_process_alive(rig: Rig) -> None:
    victim = await rig.worker(
        executors={"python": {**PYTHON_EXECUTOR, "max_in_flight": 2, "pool_size": 2}}
    )
    # One executor is idle in its event loop, the other blocks it and could not see its stdin end.
    blocked = await rig.enqueue("blocking", 30)
    await rig.running(blocked)
    executors = rig.ledger.executor_pids()
    assert len(executors) == 2

    victim.kill()

    await eventually(lambda: not any(map(is_alive, executors)), 10, "the end of the executors")
    await nothing_is_left(rig)


async def test_a_frozen_worker_that_thaws_after_its_lease_settles_nothing(rig: Rig) -> None:
    frozen, other = rig.start_worker(), None
    await rig.ready(frozen)
    job_ids = await rig.enqueue_many("sleeping", 8, 0.3)
    await eventually(lambda: len(rig.ledger.starts()) == 8, 10, "eight runs")
    os.kill(frozen.pid, signal.SIGSTOP)
    # The executors go on, so that their outcomes wait in the pipe of the frozen worker.
    await eventually(lambda: len(rig.ledger.ends()) == 8, 10, "eight ends")

    other = await rig.worker()
    await rig.all_ended(job_ids, 15)
    os.kill(frozen.pid, signal.SIGCONT)
    await eventually(lambda: frozen.lines("refused"), 10, "a word about the refused outcomes")

    for job_id in job_ids:
        assert len(rig.ledger.starts(job_id)) == 2
        assert await rig.field(job_id, "worker_id") == other.worker_id
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 8}
    # It is a good worker again.
    await other.stop()
    again = await rig.enqueue("quick")
    await rig.all_ended([again], 20)
    assert await rig.field(again, "worker_id") == frozen.worker_id
    await nothing_is_left(rig)


async def test_a_worker_frozen_for_less_than_its_lease_loses_nothing(rig: Rig) -> None:
    worker = await rig.worker(lease_seconds=60.0)
    job_ids = await rig.enqueue_many("sleeping", 8, 0.5)
    await eventually(lambda: len(rig.ledger.starts()) == 8, 10, "eight runs")
    os.kill(worker.pid, signal.SIGSTOP)
    await eventually(lambda: len(rig.ledger.ends()) == 8, 10, "eight ends")
    os.kill(worker.pid, signal.SIGCONT)

    await rig.all_ended(job_ids, 20)
    assert len(rig.ledger.starts()) == 8
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 8}
    await nothing_is_left(rig)
