"""Handlers that misbehave harm nobody but their own job."""

from __future__ import annotations

import time

from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.rig import PYTHON_EXECUTOR, Rig
from tests.support.processes import is_alive
from tests.support.waiting import eventually

DEADLINE_PRECISION_SECONDS = 0.5


async def test_every_kind_of_bad_handler_ends_as_the_contract_says_beside_good_ones(
    rig: Rig,
) -> None:
    await rig.worker(max_lost=1)
    good = await rig.enqueue_many("quick", 100)
    expected = {
        await rig.enqueue("printing"): ("COMPLETED", 0, None),
        await rig.enqueue("writing_to_fd_1"): ("COMPLETED", 0, None),
        await rig.enqueue("plain", 0.2): ("COMPLETED", 0, None),
        await rig.enqueue("retrying", 1): ("COMPLETED", 1, None),
        await rig.enqueue("blocking", 0.5): ("COMPLETED", 0, None),
        await rig.enqueue("failing", _max_retries=2): ("FAILED", 2, "it fails every time"),
        await rig.enqueue("answering_no_json", _max_retries=2): (
            "FAILED",
            2,
            "is a object that cannot be JSON",
        ),
        await rig.enqueue("exiting", _max_retries=2): ("FAILED", 2, "3"),
        await rig.enqueue("missing"): (
            "FAILED",
            1,
            "No handler registered for function 'missing'",
        ),
        await rig.enqueue("elsewhere#quick"): (
            "FAILED",
            1,
            "No executor configured for 'elsewhere'",
        ),
        await rig.enqueue("sleeping", "no number", _max_retries=2): ("FAILED", 2, "str"),
        await rig.enqueue("sleeping", _max_retries=2): ("FAILED", 2, "seconds"),
    }
    late = await rig.enqueue("killing", _defer_by=1.0)
    await rig.all_ended([*good, *expected, late], 20)

    for job_id, (status, retries, error) in expected.items():
        job = await rig.job(job_id)
        seen = (job.function_name, job.status, job.current_retries, job.last_error)
        assert job.status == status, seen
        assert job.current_retries == retries, seen
        assert (error in (job.last_error or "")) if error else job.last_error is None, seen
    assert (await rig.job(late)).status == "FAILED"
    counts = await all_is_accounted_for(rig, [*good, *expected, late])
    assert counts == {"COMPLETED": 105, "FAILED": 8}
    await nothing_is_left(rig)


async def test_a_handler_that_ignores_its_cancellation_is_killed_and_its_neighbours_released(
    rig: Rig,
) -> None:
    grace_seconds = 1.0
    one_process = {
        **PYTHON_EXECUTOR,
        "pool_size": 1,
        "max_in_flight": 2,
        "cancel_grace_seconds": grace_seconds,
    }
    await rig.worker(executors={"python": one_process})
    stubborn = await rig.enqueue("stubborn", 30, _job_timeout_seconds=1)
    await rig.running(stubborn)
    neighbour = await rig.enqueue("sleeping", 3, _job_timeout_seconds=20)
    await rig.running(neighbour)
    [process] = rig.ledger.executor_pids()

    began = rig.ledger.starts(stubborn)[0].time
    await rig.all_ended([stubborn], began + 1 + DEADLINE_PRECISION_SECONDS - time.time())
    limit = began + 1 + grace_seconds + DEADLINE_PRECISION_SECONDS
    await eventually(lambda: not is_alive(process), limit - time.time(), "the end of the process")
    await rig.all_ended([neighbour], 15)

    job = await rig.job(stubborn)
    assert (job.last_error, job.current_retries) == ("Job timed out after 1s.", 1)
    assert (await rig.job(neighbour)).current_retries == 0
    assert await rig.field(neighbour, "lost_count") == ""
    assert len(rig.ledger.starts(neighbour)) == 2
    counts = await all_is_accounted_for(rig, [stubborn, neighbour])
    assert counts == {"COMPLETED": 1, "FAILED": 1}
    await nothing_is_left(rig)


async def test_a_handler_that_blocks_its_event_loop_beyond_its_timeout_is_killed(rig: Rig) -> None:
    executors = {"python": {**PYTHON_EXECUTOR, "pool_size": 1, "cancel_grace_seconds": 0.5}}
    await rig.worker(executors=executors)
    blocking = await rig.enqueue("blocking", 60, _job_timeout_seconds=1)
    await rig.running(blocking)
    [process] = rig.ledger.executor_pids()

    await rig.all_ended([blocking], 1 + DEADLINE_PRECISION_SECONDS)
    await eventually(lambda: not is_alive(process), 0.5 + DEADLINE_PRECISION_SECONDS, "its end")

    after = await rig.enqueue("quick")
    await rig.all_ended([after], 10)
    counts = await all_is_accounted_for(rig, [blocking, after])
    assert counts == {"COMPLETED": 1, "FAILED": 1}
    await nothing_is_left(rig)
