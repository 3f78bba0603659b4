"""A job can be cancelled wherever it is, and then runs no more."""

from __future__ import annotations

from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.rig import PYTHON_EXECUTOR, Rig
from tests.support.waiting import eventually


async def test_waiting_deferred_and_retrying_jobs_are_cancelled_and_never_run_again(
    rig: Rig,
) -> None:
    await rig.worker(base_retry_delay_seconds=1.0)
    retrying = await rig.enqueue("failing", _unique_key="retrying")

    async def waits_for_its_retry() -> bool:
        return (await rig.job(retrying)).status == "RETRYING"

    await eventually(waits_for_its_retry, 5, "a retry")
    deferred = await rig.enqueue("quick", _defer_by=1.0, _unique_key="deferred")
    waiting = await rig.enqueue("quick", _queue_name="nobody-serves-this", _unique_key="waiting")

    for job_id in (retrying, deferred, waiting):
        assert await rig.client.cancel(job_id) == "cancelled"
    # What was enqueued behind them, for a later time than theirs, has run: theirs has come.
    witness = await rig.enqueue("quick", _defer_by=1.5)
    await rig.all_ended([witness], 5)

    assert rig.ledger.starts(deferred) == []
    assert len(rig.ledger.starts(retrying)) == 1
    counts = await all_is_accounted_for(rig, [retrying, deferred, waiting, witness])
    assert counts == {"CANCELLED": 3, "COMPLETED": 1}
    await nothing_is_left(rig)


async def test_a_running_job_is_cancelled_at_once_and_its_neighbours_go_on(rig: Rig) -> None:
    await rig.worker(executors={"python": {**PYTHON_EXECUTOR, "pool_size": 1}})
    neighbour = await rig.enqueue("sleeping", 1.5)
    running = await rig.enqueue("sleeping", 30, _unique_key="only one")
    await rig.running(running)
    await rig.running(neighbour)

    assert await rig.client.cancel(running) == "requested"
    await rig.all_ended([running], 1.0)
    # Its unique key is free in the same moment.
    successor = await rig.enqueue("quick", _unique_key="only one")
    await rig.all_ended([neighbour, successor], 5)

    assert len(rig.ledger.starts(neighbour)) == 1
    assert rig.ledger.ends(running) == []
    counts = await all_is_accounted_for(rig, [running, neighbour, successor])
    assert counts == {"CANCELLED": 1, "COMPLETED": 2}
    await nothing_is_left(rig)


async def test_a_running_job_that_ignores_its_cancellation_is_cancelled_all_the_same(
    rig: Rig,
) -> None:
    executors = {"python": {**PYTHON_EXECUTOR, "pool_size": 1, "cancel_grace_seconds": 0.5}}
    await rig.worker(executors=executors)
    stubborn = await rig.enqueue("stubborn", 30)
    await rig.running(stubborn)

    assert await rig.client.cancel(stubborn) == "requested"
    await rig.all_ended([stubborn], 2.0)

    after = await rig.enqueue("quick")
    await rig.all_ended([after], 10)
    assert rig.ledger.ends(stubborn) == []
    counts = await all_is_accounted_for(rig, [stubborn, after])
    assert counts == {"CANCELLED": 1, "COMPLETED": 1}
    await nothing_is_left(rig)


async def test_a_job_cancelled_while_its_worker_is_dead_ends_cancelled_and_does_not_run_again(
    rig: Rig,
) -> None:
    victim = await rig.worker()
    job_id = await rig.enqueue("sleeping", 30)
    await rig.running(job_id)
    victim.kill()

    assert await rig.client.cancel(job_id) == "requested"
    await rig.worker()
    await rig.all_ended([job_id], rig.settings.lease_seconds + 3)

    assert len(rig.ledger.starts(job_id)) == 1
    assert await all_is_accounted_for(rig, [job_id]) == {"CANCELLED": 1}
    await nothing_is_left(rig)
