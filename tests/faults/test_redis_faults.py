"""A server that is away, full, read-only, busy or loading: workers wait for it, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.rig import Rig, WorkerProcess
from tests.support.waiting import eventually

AWAY_SECONDS = 5.0


def lines_about_redis(worker: WorkerProcess) -> list[str]:
    """What the log says about Redis beyond the announcement at the start."""
    return [line for line in worker.lines("Redis") if "rrq.worker:" in line]


def says_away_once_and_back_once(worker: WorkerProcess) -> bool:
    lines = lines_about_redis(worker)
    if not lines:
        return False
    away, *back = lines
    return "cannot be used" in away and len(back) == 1 and "Redis is back after" in back[0]


async def was_told_in_two_lines(worker: WorkerProcess) -> None:
    await eventually(lambda: worker.lines("Redis is back after"), 2, "the word that it is back")
    assert says_away_once_and_back_once(worker), lines_about_redis(worker)


async def test_redis_stopped_for_five_seconds_costs_nothing_but_time_and_two_lines_of_log(
    rig: Rig,
) -> None:
    # The lease is shorter than the time that Redis is away.
    workers = [rig.start_worker(), rig.start_worker()]
    for worker in workers:
        await rig.ready(worker)
    job_ids = await rig.enqueue_many("sleeping", 300, 0.2)
    await eventually(lambda: len(rig.ledger.ends()) > 50, 10, "the middle of the work")

    rig.server.kill()
    away_since = time.monotonic()
    # What ran goes on meanwhile.
    await eventually(lambda: not rig.ledger.running(), 5, "the end of the running jobs")
    await asyncio.sleep(AWAY_SECONDS - (time.monotonic() - away_since))
    await rig.in_thread(rig.server.start)
    await rig.all_ended(job_ids, 20)

    assert all(len(runs) == 1 for runs in rig.ledger.runs_by_job().values())
    for worker in workers:
        await was_told_in_two_lines(worker)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 300}
    await nothing_is_left(rig)


async def test_killed_connections_and_flushed_scripts_are_made_up_for_at_once(rig: Rig) -> None:
    await rig.worker()
    job_ids = await rig.enqueue_many("sleeping", 200, 0.1)
    for _ in range(5):
        ended = len(rig.ledger.ends())
        await rig.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await rig.redis("SCRIPT", "FLUSH")
        await eventually(lambda ended=ended: len(rig.ledger.ends()) > ended + 16, 5, "progress")

    await rig.all_ended(job_ids, 10)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 200}
    await nothing_is_left(rig)


async def test_a_full_server_pauses_claiming_and_costs_no_outcome_and_no_lease(rig: Rig) -> None:
    worker = await rig.worker()
    long = await rig.enqueue_many("sleeping", 2, rig.settings.lease_seconds * 3)
    await eventually(lambda: len(rig.ledger.starts()) == 2, 5, "the long runs")
    # Somebody who would take a lease that is not renewed.
    await rig.worker()
    job_ids = await rig.enqueue_many("sleeping", 100, 0.2)
    await eventually(lambda: len(rig.ledger.ends()) > 20, 10, "the middle of the work")

    await rig.redis("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
    await eventually(lambda: worker.lines("cannot be used"), 5, "a line about it")
    await eventually(lambda: len(rig.ledger.running()) <= 2, 5, "the end of what was short")
    started = len(rig.ledger.starts())
    expiry = await lease_expiry(rig, long[0])

    async def is_renewed() -> bool:
        return await lease_expiry(rig, long[0]) > expiry

    await eventually(is_renewed, rig.settings.lease_seconds, "a renewal by the full server")
    await eventually(lambda: not rig.ledger.running(), 10, "the end of the long ones")
    assert len(rig.ledger.starts()) == started
    # Their outcomes were taken by the full server.
    await rig.all_ended(long, 2)
    await rig.redis("CONFIG", "SET", "maxmemory", "0")
    await rig.all_ended(job_ids, 15)

    assert any("maxmemory" in line for line in lines_about_redis(worker))
    await was_told_in_two_lines(worker)
    assert all(len(runs) == 1 for runs in rig.ledger.runs_by_job().values())
    assert await all_is_accounted_for(rig, [*long, *job_ids]) == {"COMPLETED": 102}
    await nothing_is_left(rig)


async def lease_expiry(rig: Rig, job_id: str) -> float:
    return float(await rig.redis("ZSCORE", rig.client.job_store.keys.leases, job_id))


async def test_a_read_only_server_as_in_a_failover_is_waited_for(rig: Rig) -> None:
    worker = await rig.worker()
    job_ids = await rig.enqueue_many("sleeping", 100, 0.2)
    await eventually(lambda: len(rig.ledger.ends()) > 20, 10, "the middle of the work")

    await rig.redis("REPLICAOF", "127.0.0.1", "1")
    await eventually(lambda: worker.lines("cannot be used"), 5, "a line about it")
    await eventually(lambda: not rig.ledger.running(), 5, "the end of what ran")
    await rig.redis("REPLICAOF", "NO", "ONE")
    await rig.all_ended(job_ids, 15)

    await was_told_in_two_lines(worker)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 100}
    await nothing_is_left(rig)


async def test_an_idle_worker_outlives_a_failover(rig: Rig) -> None:
    """Its read of the mailbox is broken off by the server, with an error of its own kind."""
    worker = await rig.worker()
    await rig.redis("REPLICAOF", "127.0.0.1", "1")
    await eventually(lambda: worker.lines("cannot be used"), 8, "a line about it")
    await rig.redis("REPLICAOF", "NO", "ONE")

    job_id = await rig.enqueue("quick")
    await rig.all_ended([job_id], 5)
    await was_told_in_two_lines(worker)
    await nothing_is_left(rig)


async def test_a_server_busy_with_somebody_elses_script_is_waited_for(rig: Rig) -> None:
    await rig.redis("CONFIG", "SET", "busy-reply-threshold", "50")
    worker = await rig.worker()
    job_ids = await rig.enqueue_many("sleeping", 100, 0.2)
    await eventually(lambda: len(rig.ledger.ends()) > 20, 10, "the middle of the work")

    async with Redis.from_url(rig.server.dsn) as other:
        endless = asyncio.create_task(other.execute_command("EVAL", "while true do end", 0))
        await eventually(lambda: worker.lines("cannot be used"), 5, "a line about it")
        await eventually(lambda: not rig.ledger.running(), 5, "the end of what ran")
        await rig.redis("SCRIPT", "KILL")
        await asyncio.gather(endless, return_exceptions=True)
    await rig.all_ended(job_ids, 15)

    assert any("BUSY" in line or "busy" in line for line in lines_about_redis(worker))
    await was_told_in_two_lines(worker)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 100}
    await nothing_is_left(rig)


async def test_a_server_that_loads_its_data_for_a_while_is_waited_for(rig: Rig) -> None:
    worker = await rig.worker()
    job_ids = await rig.enqueue_many("sleeping", 100, 0.2)
    # Each takes the server 100 µs longer to load: two seconds in all.
    await rig.redis("EVAL", "for i = 1, 20000 do redis.call('SET', 'ballast:' .. i, i) end", 0)
    await eventually(lambda: len(rig.ledger.ends()) > 20, 10, "the middle of the work")

    rig.server.kill()
    rig.server._options += [
        "--key-load-delay",
        "100",
        "--loading-process-events-interval-bytes",
        "1024",
    ]
    loading = asyncio.create_task(rig.in_thread(rig.server.start))
    await eventually(lambda: is_loading(rig), 10, "the loading")
    await loading
    await rig.all_ended(job_ids, 20)

    await was_told_in_two_lines(worker)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 100}
    await nothing_is_left(rig)


async def is_loading(rig: Rig) -> bool:
    try:
        return (await rig.redis("INFO", "persistence"))["loading"] == 1
    except (RedisError, OSError):
        return False


async def test_a_frozen_server_is_waited_for(rig: Rig) -> None:
    worker = await rig.worker(lease_seconds=10.0)
    job_ids = await rig.enqueue_many("sleeping", 100, 0.2)
    await eventually(lambda: len(rig.ledger.ends()) > 20, 10, "the middle of the work")
    os.kill(rig.server.pid, signal.SIGSTOP)
    await eventually(lambda: worker.lines("cannot be used"), 8, "a line about it")
    os.kill(rig.server.pid, signal.SIGCONT)
    await rig.all_ended(job_ids, 15)

    await was_told_in_two_lines(worker)
    assert await all_is_accounted_for(rig, job_ids) == {"COMPLETED": 100}
    await nothing_is_left(rig)
