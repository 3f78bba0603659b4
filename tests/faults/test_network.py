"""A network that cuts, refuses, delays or swallows: the worker claims again soon after."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.proxy import Proxy
from tests.faults.rig import Rig
from tests.support.waiting import eventually

CLAIMS_AGAIN_SECONDS = 5.0


@pytest.fixture
async def proxy(rig: Rig) -> AsyncIterator[Proxy]:
    async with Proxy(str(rig.server.directory / "redis.sock")) as proxy:
        yield proxy


async def claims_again(rig: Rig) -> None:
    """A fresh job starts within the time that was promised."""
    job_id = await rig.enqueue("quick", "after the fault", _queue_name="default")
    await rig.running(job_id, CLAIMS_AGAIN_SECONDS)
    await rig.all_ended([job_id], 5)


async def test_connections_cut_again_and_again_lose_and_repeat_nothing(
    rig: Rig, proxy: Proxy
) -> None:
    worker = await rig.worker(dsn=proxy.dsn)
    job_ids = await rig.enqueue_many("sleeping", 300, 0.05)
    for share in range(1, 9):
        await eventually(
            lambda share=share: len(rig.ledger.ends()) > share * 30, 10, f"{share} tenths"
        )
        proxy.cut()

    await rig.all_ended(job_ids, 10)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 300}
    assert all(len(runs) == 1 for runs in rig.ledger.runs_by_job().values())
    # A job whose settlement got through and whose answer did not is no lost lease.
    assert worker.lines("The lease of job") == []
    await nothing_is_left(rig)


async def test_a_refused_connection_is_tried_until_it_is_taken(rig: Rig, proxy: Proxy) -> None:
    worker = await rig.worker(dsn=proxy.dsn)
    job_ids = await rig.enqueue_many("sleeping", 60, 0.2)
    await eventually(lambda: len(rig.ledger.ends()) > 15, 10, "the middle of the work")

    proxy.refuse()
    accepted = proxy.accepted
    await eventually(lambda: proxy.accepted > accepted + 5, 10, "six tries")
    proxy.restore()
    await claims_again(rig)

    await rig.all_ended(job_ids, 10)
    await eventually(lambda: worker.lines("Redis is back"), 1, "the word that it is back")
    assert len(worker.lines("cannot be used")) == 1
    await all_is_accounted_for(rig, job_ids)
    await nothing_is_left(rig)


async def test_half_open_connections_are_given_up_and_jobs_claimed_again_within_five_seconds(
    rig: Rig, proxy: Proxy
) -> None:
    worker = await rig.worker(dsn=proxy.dsn)
    job_ids = await rig.enqueue_many("sleeping", 60, 0.2)
    await eventually(lambda: len(rig.ledger.ends()) > 15, 10, "the middle of the work")

    # The dead connections stay dead; only new ones get through again.
    proxy.swallow()
    await eventually(lambda: worker.lines("cannot be used"), 10, "a line about it")
    proxy.restore()
    await claims_again(rig)

    await rig.all_ended(job_ids, 15)
    await all_is_accounted_for(rig, job_ids)
    await nothing_is_left(rig)


async def test_an_idle_worker_notices_a_half_open_connection_and_claims_within_five_seconds(
    rig: Rig, proxy: Proxy
) -> None:
    await rig.worker(dsn=proxy.dsn)
    # Busy at first, so that there are many idle connections afterwards, each of them dead.
    busy = await rig.enqueue_many("quick", 1000)
    await rig.all_ended(busy, 10)
    proxy.swallow()
    proxy.restore()
    await claims_again(rig)
    await nothing_is_left(rig)


async def test_a_worker_that_is_cut_off_for_longer_than_its_lease_settles_nothing_twice(
    rig: Rig, proxy: Proxy
) -> None:
    cut_off = await rig.worker(dsn=proxy.dsn)
    job_ids = await rig.enqueue_many("sleeping", 8, 1.0)
    await eventually(lambda: len(rig.ledger.starts()) == 8, 10, "eight runs")
    proxy.refuse()

    other = await rig.worker()
    await rig.all_ended(job_ids, 15)
    proxy.restore()
    await eventually(lambda: cut_off.lines("refused"), 10, "a word about the refused outcomes")

    for job_id in job_ids:
        assert await rig.field(job_id, "worker_id") == other.worker_id
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 8}
    await nothing_is_left(rig)


async def test_a_slow_network_slows_jobs_and_breaks_none(rig: Rig, proxy: Proxy) -> None:
    await rig.worker(dsn=proxy.dsn)
    proxy.delay(0.1)
    job_ids = await rig.enqueue_many("quick", 300)
    await rig.all_ended(job_ids, 15)

    assert all(len(runs) == 1 for runs in rig.ledger.runs_by_job().values())
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 300}
    # Slow enough for the worker's last words to overtake each other.
    proxy.delay(0.5)
    await nothing_is_left(rig)


async def test_a_stop_while_redis_is_out_of_reach_ends_the_worker_within_its_bounds(
    rig: Rig, proxy: Proxy
) -> None:
    worker = await rig.worker(dsn=proxy.dsn, worker_shutdown_grace_period_seconds=1.0)
    job_ids = await rig.enqueue_many("sleeping", 4, 0.3)
    await eventually(lambda: len(rig.ledger.starts()) == 4, 10, "four runs")
    proxy.refuse()
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    assert await worker.stop(12) == 0
    assert time.monotonic() - began < 12
    # Redis never heard of their end: another worker runs them again.
    await rig.worker()
    await rig.all_ended(job_ids, rig.settings.lease_seconds + 3)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 4}
