"""The journal and the account see what they are there for: each breach is found, with its job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.invariants import all_is_accounted_for
from tests.faults.journal import Journal
from tests.faults.ledger import Ledger
from tests.faults.rig import Rig
from tests.faults.soak import killed


async def enqueued(rig: Rig) -> str:
    return await rig.enqueue("quick")


async def test_the_journal_sees_a_job_in_two_places(rig: Rig) -> None:
    job_id = await enqueued(rig)
    await rig.redis("ZADD", "rrq:leases", 1, job_id)

    [violation] = rig.journal().violations
    assert f"{job_id} is in ['queue default', 'leased']" in violation


async def test_the_journal_sees_a_job_in_no_place_even_if_only_for_a_moment(rig: Rig) -> None:
    job_id = await enqueued(rig)
    await rig.redis("ZREM", "rrq:queue:default", job_id)
    await rig.redis("ZADD", "rrq:queue:default", 1, job_id)

    [violation] = rig.journal().violations
    assert f"{job_id} is in no place" in violation


async def test_the_journal_sees_a_lease_token_that_does_not_grow(rig: Rig) -> None:
    job_id = await enqueued(rig)
    await rig.redis("HSET", f"rrq:job:{job_id}", "lease_token", 5)
    await rig.redis("HSET", f"rrq:job:{job_id}", "lease_token", 5)

    assert rig.journal().violations == [f"{job_id} got token 5 after 5"]


async def test_the_journal_counts_every_settlement_through_a_restart_of_the_server(
    rig: Rig,
) -> None:
    job_id = await enqueued(rig)
    key = f"rrq:job:{job_id}"
    await rig.redis("EVAL", SETTLE, 2, key, "rrq:queue:default", "COMPLETED", job_id)
    await rig.in_thread(rig.server.kill)
    await rig.in_thread(rig.server.start)
    await rig.redis("EVAL", SETTLE, 2, key, "rrq:queue:default", "FAILED", job_id)

    assert rig.journal().pasts[job_id].settled == ["COMPLETED", "FAILED"]
    with pytest.raises(AssertionError, match=r"dlq|Counter|settled"):
        await all_is_accounted_for(rig, [job_id])


async def test_the_account_sees_a_job_that_has_vanished(rig: Rig) -> None:
    job_id = await enqueued(rig)
    await rig.redis("EVAL", "redis.call('DEL', KEYS[1]) redis.call('ZREM', KEYS[2], ARGV[1])", 2,
                    f"rrq:job:{job_id}", "rrq:queue:default", job_id)  # fmt: skip

    with pytest.raises(AssertionError, match="lost"):
        await all_is_accounted_for(rig, [job_id])


async def test_the_account_sees_a_completed_job_that_never_ran(rig: Rig) -> None:
    job_id = await enqueued(rig)
    key = f"rrq:job:{job_id}"
    await rig.redis("HSET", key, "settled_token", 1)
    await rig.redis("EVAL", SETTLE, 2, key, "rrq:queue:default", "COMPLETED", job_id)

    with pytest.raises(AssertionError, match="was completed by no run"):
        await all_is_accounted_for(rig, [job_id])


def test_the_ledger_knows_who_was_in_the_process_of_a_run(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    told = [
        ("start", "before", 1), ("end", "before", 1), ("start", "earlier", 1),
        ("start", "elsewhere", 2), ("start", "it", 1), ("start", "later", 1), ("end", "it", 1),
        ("start", "after", 1), ("end", "earlier", 1),
    ]  # fmt: skip
    lines = [json.dumps([event, job_id, 1, 1, pid, 0.0]) for event, job_id, pid in told]
    ledger.path.write_text("".join(f"{line}\n" for line in lines))

    assert ledger.neighbours("it") == {"earlier", "later"}
    assert ledger.neighbours("elsewhere") == set()


async def test_the_soak_sees_a_job_that_was_dead_lettered_for_what_killed_it_from_outside(
    rig: Rig,
) -> None:
    innocent, guilty, failed = [await rig.enqueue(name) for name in ("quick", "killing", "failing")]
    for job_id, error in ((innocent, "Job was lost 6 times"), (guilty, "Job was lost 6 times"),
                          (failed, "it fails every time")):  # fmt: skip
        await rig.redis("HSET", f"rrq:job:{job_id}", "status", "FAILED", "last_error", error)

    assert await killed(rig, await rig.statuses([innocent, guilty, failed])) == [innocent]


def test_a_journal_that_ends_in_the_middle_of_a_step_counts_the_whole_ones(tmp_path: Path) -> None:
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    enqueue = (
        "*1\r\n$5\r\nMULTI\r\n"
        "*4\r\n$4\r\nHSET\r\n$9\r\nrrq:job:a\r\n$12\r\nenqueue_time\r\n$1\r\n0\r\n"
        "*4\r\n$4\r\nZADD\r\n$11\r\nrrq:queue:q\r\n$1\r\n0\r\n$1\r\na\r\n"
        "*1\r\n$4\r\nEXEC\r\n"
    )
    torn = (
        "*1\r\n$5\r\nMULTI\r\n*3\r\n$4\r\nZREM\r\n$11\r\nrrq:queue:q\r\n$1\r\na\r\n*3\r\n$4\r\nZA"
    )
    (folder / "appendonly.aof.1.incr.aof").write_text(enqueue + torn, newline="")

    journal = Journal(tmp_path).replay()

    assert journal.pasts["a"].places() == ["queue q"]
    assert journal.violations == []


SETTLE = """
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'status', ARGV[1])
"""
