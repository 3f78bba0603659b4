"""What must be true when the dust has settled, whatever was killed before.

Three witnesses have to agree: Redis as it is, the journal of how it came to be so, and the
ledger that the handlers wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.faults.journal import TERMINAL
from tests.faults.rig import Rig
from tests.support.waiting import eventually

LONGEST_MAILBOX_MS = 60_000
LONGEST_PARKING_MS = 10_000
LONGEST_HEARTBEAT_MS = 70_000
LONGEST_COUNTS_MS = 30 * 86_400_000
LONGEST_HISTORY_MS = LONGEST_COUNTS_MS + 3_600_000


async def all_is_accounted_for(rig: Rig, job_ids: Iterable[str]) -> Counter[str]:
    """Check every promise about jobs that have ended; how many ended in which state.

    Raises:
        AssertionError: one was broken; the message says which, for which job.
    """
    ids = list(job_ids)
    statuses = await rig.statuses(ids)
    assert set(statuses.values()) <= TERMINAL, _first(statuses, lambda s: s not in TERMINAL)
    await _nothing_waits_or_runs(rig)
    await _dlq_holds_the_failed(rig, {i for i, status in statuses.items() if status == "FAILED"})
    _journal_agrees(rig, statuses)
    await _ledger_agrees(rig, statuses)
    await _statistics_agree(rig, statuses)
    await _no_key_is_left(rig)
    return Counter(statuses.values())


async def nothing_is_left(rig: Rig) -> None:
    """Stop all workers that still run, and check that each went cleanly and left nothing.

    Raises:
        AssertionError: an exit code, a process, a key or a temporary file is left over.
    """
    for worker in rig.workers:
        if worker.process.poll() is None:
            assert await worker.stop() == 0, worker.lines()[-8:]
            assert await _keys_of(rig, worker.worker_id) == []
    await eventually(lambda: not rig.leftovers(), 3, f"the end of {rig.leftovers()}")
    assert [path.name for path in rig.temporary.rglob("*")] == []


async def _nothing_waits_or_runs(rig: Rig) -> None:
    keys = rig.client.job_store.keys
    assert await rig.redis("ZRANGE", keys.leases, 0, -1) == []
    for queue in await rig.redis("SMEMBERS", keys.queues):
        assert await rig.redis("ZRANGE", keys.queue(queue.decode()), 0, -1) == []


async def _dlq_holds_the_failed(rig: Rig, failed: set[str]) -> None:
    entries: list[str] = []
    async for key in rig.client.job_store.redis.scan_iter(f"{rig.settings.key_prefix}:dlq:*"):
        entries += [entry.decode() for entry in await rig.redis("LRANGE", key, 0, -1)]
    assert Counter(entries) == Counter(failed)


def _journal_agrees(rig: Rig, statuses: dict[str, str]) -> None:
    journal = rig.journal()
    assert journal.violations == []
    for job_id, status in statuses.items():
        past = journal.pasts[job_id]
        assert past.settled == [status], f"job {job_id} was settled as {past.settled}"
        assert past.dead_lettered == (status == "FAILED"), f"job {job_id}: {past}"


async def _ledger_agrees(rig: Rig, statuses: dict[str, str]) -> None:
    """The outcome that won is of a run that took place, under the token that settled it."""
    ends = {(entry.job_id, entry.token) for entry in rig.ledger.ends()}
    for job_id, status in statuses.items():
        if status == "COMPLETED":
            token = int(await rig.field(job_id, "settled_token"))
            assert (job_id, token) in ends, f"job {job_id} was completed by no run (token {token})"
            assert (await rig.job(job_id)).result == token


async def _statistics_agree(rig: Rig, statuses: dict[str, str]) -> None:
    """Each end was counted in the step that wrote it, and stands in the history."""
    statistics, counted = rig.client.job_store.statistics, Counter[str]()
    for events in (await statistics.totals("queue", await statistics.names("queue"))).values():
        counted += events
    ends = Counter(statuses.values())
    assert counted["completed"] >= ends["COMPLETED"]
    assert counted["dead_lettered"] >= ends["FAILED"]
    assert counted["cancelled"] >= ends["CANCELLED"]
    remembered = {
        (one.job_id, one.status)
        async for page in rig.client.job_store.history.ended()
        for one in page
    }
    assert set(statuses.items()) <= remembered


async def _no_key_is_left(rig: Rig) -> None:
    """No key of a job that has ended, and none of a dead worker that would stay for ever."""
    prefix = rig.settings.key_prefix
    bounds_ms = {
        f"{prefix}:mailbox:": LONGEST_MAILBOX_MS,
        f"{prefix}:idle:": LONGEST_PARKING_MS,
        f"{prefix}:health:worker:": LONGEST_HEARTBEAT_MS,
        f"{prefix}:unborn": LONGEST_MAILBOX_MS,
        f"{prefix}:stats:": LONGEST_COUNTS_MS,
        f"{prefix}:history": LONGEST_HISTORY_MS,
    }
    unknown = []
    async for key in rig.client.job_store.redis.scan_iter(f"{prefix}:*", count=1000):
        name = key.decode()
        if name.startswith((f"{prefix}:job:", f"{prefix}:dlq:")):
            continue
        if name in (f"{prefix}:queues", f"{prefix}:lease:token", f"{prefix}:workers"):
            continue
        bound_ms = next((ms for root, ms in bounds_ms.items() if name.startswith(root)), None)
        ttl_ms = await rig.redis("PTTL", key)
        # -2: it is gone by now.
        if ttl_ms != -2 and (bound_ms is None or not 0 <= ttl_ms <= bound_ms):
            unknown.append((name, ttl_ms))
    assert unknown == []


async def _keys_of(rig: Rig, worker_id: str) -> list[str]:
    """Where Redis still knows a worker."""
    keys = rig.client.job_store.keys
    found = [
        key
        for key in (keys.health(worker_id), keys.mailbox(worker_id))
        if await rig.redis("EXISTS", key)
    ]
    for queue in await rig.redis("SMEMBERS", keys.queues):
        if await rig.redis("ZSCORE", keys.idle(queue.decode()), worker_id) is not None:
            found.append(keys.idle(queue.decode()))
    if await rig.redis("ZSCORE", keys.workers, worker_id) is not None:
        found.append(keys.workers)
    return found


def _first(statuses: dict[str, str], is_wrong: object) -> str:
    assert callable(is_wrong)
    wrong = [(job_id, status) for job_id, status in statuses.items() if is_wrong(status)]
    return f"{len(wrong)} jobs have not ended, among them {wrong[:3]}"
