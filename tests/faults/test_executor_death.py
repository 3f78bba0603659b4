"""Executor processes that die, hang or talk nonsense: only they are replaced, no job pays."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.rig import PYTHON_EXECUTOR, Rig
from tests.support.waiting import eventually

BAD_EXECUTOR = Path(__file__).with_name("bad_executor.py")


def two_executors(misbehaviour: str, **options: Any) -> dict[str, dict[str, Any]]:
    """A good Python executor, and one named `bad` that misbehaves as it is told."""
    bad = {
        "type": "stdio",
        "cmd": [sys.executable, str(BAD_EXECUTOR), misbehaviour],
        "pool_size": 1,
        **options,
    }
    return {"python": {**PYTHON_EXECUTOR, "pool_size": 1}, "bad": bad}


async def test_only_the_jobs_of_a_killed_executor_run_again_without_penalty(rig: Rig) -> None:
    await rig.worker()
    job_ids = await rig.enqueue_many("sleeping", 16, 1.0)
    await eventually(lambda: len(rig.ledger.starts()) == 16, 10, "sixteen runs")
    victim = rig.ledger.starts()[0].pid
    its_jobs = {entry.job_id for entry in rig.ledger.starts() if entry.pid == victim}
    assert 0 < len(its_jobs) < 16

    os.kill(victim, signal.SIGKILL)
    await rig.all_ended(job_ids, 10)

    again = {job_id for job_id, runs in rig.ledger.runs_by_job().items() if len(runs) > 1}
    assert again == its_jobs
    for job_id in job_ids:
        job = await rig.job(job_id)
        assert job.current_retries == 0
        assert job.last_error is None
        assert await rig.field(job_id, "lost_count") == ("1" if job_id in its_jobs else "")
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 16}
    await nothing_is_left(rig)


async def test_a_poison_job_ends_in_the_dlq_after_max_lost_with_the_cause(rig: Rig) -> None:
    await rig.worker(max_lost=2)
    poison = await rig.enqueue("killing")
    await rig.all_ended([poison], 15)

    assert len(rig.ledger.starts(poison)) == 3
    job = await rig.job(poison)
    assert job.status == "FAILED"
    assert job.current_retries == 0
    assert job.last_error is not None
    assert job.last_error.startswith("Job was lost 3 times while it ran, last: executor 'python'")
    assert "was killed by signal SIGKILL" in job.last_error

    healthy = await rig.enqueue_many("quick", 20)
    await rig.all_ended(healthy, 10)
    counts = await all_is_accounted_for(rig, [poison, *healthy])
    assert counts == {"COMPLETED": 20, "FAILED": 1}
    await nothing_is_left(rig)


@pytest.mark.parametrize(("pool_size", "max_lost"), [(1, 2), (2, 1)])
async def test_no_job_is_blamed_for_another_that_kills_the_process_of_both(
    rig: Rig, pool_size: int, max_lost: int
) -> None:
    python = {**PYTHON_EXECUTOR, "pool_size": pool_size, "max_in_flight": 10 // pool_size}
    innocent = await rig.enqueue_many("sleeping", 9, 0.3)
    guilty = await rig.enqueue("killing")
    await rig.worker(executors={"python": python}, max_lost=max_lost)
    await rig.all_ended([*innocent, guilty], 60)

    counts = await all_is_accounted_for(rig, [*innocent, guilty])
    assert counts == {"COMPLETED": 9, "FAILED": 1}
    error = (await rig.job(guilty)).last_error
    assert error is not None
    often = f"{max_lost + 1} times"
    assert error.startswith(f"Job was lost {often} while it ran, last: executor 'python'")
    assert "was killed by signal SIGKILL" in error
    assert rig.ledger.neighbours(guilty) == set()
    if pool_size == 1:
        losses = [await rig.field(job_id, "lost_count") for job_id in innocent]
        assert losses == ["2"] * 9, "all were lost with it, as often as may be"
    await nothing_is_left(rig)


async def test_a_job_that_was_lost_often_waits_for_a_process_of_its_own_and_has_its_full_time_there(
    rig: Rig,
) -> None:
    python = {**PYTHON_EXECUTOR, "pool_size": 1, "max_in_flight": 8}
    await rig.worker(executors={"python": python}, max_lost=2)
    long = await rig.enqueue("sleeping", 2.0)
    await rig.running(long)
    store = rig.client.job_store
    await store.queues.pause("default")
    suspect = await rig.enqueue("sleeping", 0.6, _job_timeout_seconds=1)
    await rig.redis("HSET", store.keys.job(suspect), "lost_count", 2)
    await store.queues.resume("default")
    quick = await rig.enqueue_many("quick", 20)
    await rig.all_ended([long, suspect, *quick], 15)

    assert rig.ledger.neighbours(suspect) == set()
    counts = await all_is_accounted_for(rig, [long, suspect, *quick])
    assert counts == {"COMPLETED": 22}
    await nothing_is_left(rig)


async def test_an_executor_that_floods_stdout_with_junk_is_replaced_and_the_job_is_lost_to_it(
    rig: Rig,
) -> None:
    worker = await rig.worker(executors=two_executors("flood"), max_lost=1)
    lost = await rig.enqueue("bad#anything")
    good = await rig.enqueue_many("quick", 50)
    await rig.all_ended([lost, *good], 15)

    error = (await rig.job(lost)).last_error
    assert error is not None
    assert "broke the protocol: junk junk" in error
    assert max(map(len, worker.lines("broke the protocol"))) < 1000
    counts = await all_is_accounted_for(rig, [lost, *good])
    assert counts == {"COMPLETED": 50, "FAILED": 1}
    await nothing_is_left(rig)


async def test_an_executor_that_closes_its_stdout_is_replaced(rig: Rig) -> None:
    await rig.worker(executors=two_executors("close-stdout"), max_lost=1)
    lost = await rig.enqueue("bad#anything")
    await rig.all_ended([lost], 15)

    error = (await rig.job(lost)).last_error
    assert error is not None
    assert "closed its stdout" in error
    await all_is_accounted_for(rig, [lost])
    await nothing_is_left(rig)


async def test_an_executor_that_never_reads_its_stdin_costs_its_jobs_their_time_and_no_other(
    rig: Rig,
) -> None:
    """A request that is larger than any pipe can hold."""
    await rig.worker(executors=two_executors("deaf", start_timeout_seconds=1))
    deaf = await rig.enqueue("bad#anything", "x" * 1_000_000, _job_timeout_seconds=1)
    good = await rig.enqueue_many("quick", 200)
    await rig.all_ended(good, 5)
    await rig.all_ended([deaf], 5)

    assert (await rig.job(deaf)).last_error == "Job timed out after 1s."
    counts = await all_is_accounted_for(rig, [deaf, *good])
    assert counts == {"COMPLETED": 200, "FAILED": 1}
    await nothing_is_left(rig)


async def test_an_executor_that_dies_at_every_start_is_tried_ever_more_rarely_and_stops_no_other(
    rig: Rig,
) -> None:
    good_start = rig.folder / "good-start"
    good_start.touch()
    worker = await rig.worker(executors=two_executors("die-without", env={"FILE": str(good_start)}))
    # It came up; from now on it dies as soon as it starts.
    good_start.unlink()
    waiting = await rig.enqueue("bad#die")
    await eventually(lambda: worker.lines("the next one starts in 0.8 s"), 15, "backoff to 0.8 s")
    for pause in ("0.1", "0.2", "0.4"):
        assert len(worker.lines(f"the next one starts in {pause} s")) == 1

    began = time.monotonic()
    good = await rig.enqueue_many("quick", 50)
    await rig.all_ended(good, 5)
    assert time.monotonic() - began < 5

    # The job did not pay for processes that never had it, and runs as soon as one comes up.
    good_start.touch()
    await rig.all_ended([waiting], 15)
    assert await rig.field(waiting, "lost_count") == "1"
    assert (await rig.job(waiting)).result == "fine"
    await nothing_is_left(rig)
