"""What the repair makes of a job, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from rrq.doctor.examination import Examination, examine
from rrq.doctor.kinds import Finding
from rrq.doctor.repair import repair
from rrq.store.scripts import Steps
from tests.doctor.breaking import LATER_MS, active_without_lease, waiting_nowhere
from tests.store.driving import Driver


async def mended(driver: Driver) -> list[Finding]:
    """Everything that was wrong and is not any more."""
    return await repair(driver.store, await examined(driver))


async def examined(driver: Driver) -> Examination:
    return await examine(driver.store, patience_seconds=0)


# -- jobs that were lost ----------------------------------------------------------------


async def test_a_job_that_nobody_has_a_lease_of_runs_again_as_one_that_was_lost(
    driver: Driver,
) -> None:
    claim = await driver.running("a", queue="own")
    await driver.redis.zrem("rrq:leases", "a")

    assert len(await mended(driver)) == 1

    assert await driver.settle(claim, "complete") == "stale"
    fields = await driver.hash("a")
    assert (fields["status"], fields["lost_count"], fields["current_retries"]) == (
        "PENDING",
        "1",
        "0",
    )
    assert "nobody had a lease of it" in fields["attempts"]
    assert [one.job_id for one in await driver.claim(queues=["own"])] == ["a"]


async def test_a_job_that_was_lost_too_often_is_dead(driver: Driver) -> None:
    await active_without_lease(driver, "a")
    await driver.redis.hset("rrq:job:a", "lost_count", str(driver.settings.max_lost))

    assert len(await mended(driver)) == 1

    assert await driver.status("a") == "FAILED"
    assert (await driver.dead())[0] == "a"
    assert (await examined(driver)).findings == ()


async def test_a_job_in_no_queue_comes_back_when_it_was_to_run(driver: Driver) -> None:
    await driver.enqueue("a", delay_ms=LATER_MS, queue="own", unique_key="k")
    due_ms = await driver.due_ms("a", "own")
    await driver.redis.zrem("rrq:queue:own", "a")
    await driver.redis.expire("rrq:job:a", 1000)
    await driver.redis.hset("rrq:job:a", "status", "RETRYING")

    assert len(await mended(driver)) == 1

    assert await driver.due_ms("a", "own") == pytest.approx(due_ms, abs=0.001)
    assert (await driver.status("a"), await driver.ttl_seconds("a")) == ("RETRYING", -1)


@pytest.mark.parametrize("due", [None, "soon", "9999-12-31T23:59:59-12:00"])
async def test_a_job_whose_time_cannot_be_read_comes_back_into_the_default_queue(
    driver: Driver, due: str | None
) -> None:
    await driver.redis.hset("rrq:job:a", mapping={"function_name": "f", "status": "PENDING"})
    if due:
        await driver.redis.hset("rrq:job:a", "next_scheduled_run_time", due)

    assert len(await mended(driver)) == 1

    assert "a" in await driver.waiting()
    assert (await examined(driver)).findings == ()


async def test_a_job_with_a_lease_that_is_nobodys_waits_where_somebody_queued_it(
    driver: Driver,
) -> None:
    await driver.running("a", queue="own")
    await driver.redis.hdel("rrq:job:a", "lease_token")
    await driver.redis.zadd("rrq:queue:own", {"a": 1})

    assert len(await mended(driver)) == 2

    assert "a" not in await driver.leased()
    assert (await driver.status("a"), await driver.waiting("own")) == ("PENDING", ["a"])


async def test_a_parked_worker_is_woken_for_a_job_that_comes_back(driver: Driver) -> None:
    await driver.enqueue("a", queue="own")
    await driver.redis.zrem("rrq:queue:own", "a")
    await driver.claim("rrq_worker_parked", ["own"])

    await mended(driver)

    assert await driver.mail("rrq_worker_parked") == ["wake"]


# -- a run that stands ------------------------------------------------------------------


async def test_a_run_that_is_under_way_stands(driver: Driver) -> None:
    claim = await driver.running("a", queue="own")
    await driver.redis.hset("rrq:job:a", "status", "PENDING")
    await driver.redis.zadd("rrq:queue:own", {"a": 1})

    assert len(await mended(driver)) == 2

    assert (await driver.status("a"), await driver.waiting("own")) == ("ACTIVE", [])
    assert await driver.settle(claim, "complete") == "complete"


# -- unique keys ------------------------------------------------------------------------


async def test_a_key_that_is_freed_passes_to_the_job_that_waits_for_it(driver: Driver) -> None:
    await driver.enqueue("holder", unique_key="k")
    await driver.enqueue("held", unique_key="k", on_conflict="defer", delay_ms=LATER_MS)
    await driver.redis.delete("rrq:job:holder")
    await driver.redis.zrem("rrq:queue:default", "holder")

    assert [one.kind for one in await mended(driver)] == ["unique-without-owner"]

    assert await driver.holder("k") == "held"


# -- dead letters -----------------------------------------------------------------------


async def test_entries_without_a_job_go_and_all_others_stay_in_their_order(
    driver: Driver,
) -> None:
    letters = await driver.dead()
    await driver.redis.rpush("rrq:dlq:default", "gone-1")
    await driver.redis.linsert("rrq:dlq:default", "BEFORE", letters[1], "gone-2")
    await driver.redis.lpush("rrq:dlq:default", "gone-3", "gone-4")

    [finding] = await mended(driver)

    assert (finding.count, finding.detail) == (4, "4 entries")
    assert await driver.dead() == letters


async def test_of_a_job_that_is_dead_twice_the_newest_entry_stays(driver: Driver) -> None:
    await driver.settle(await driver.running("a", queue="own"), "fail")
    letters = await driver.dead()
    await driver.redis.rpush("rrq:dlq:default", "a", "a")

    assert len(await mended(driver)) == 1

    assert await driver.dead() == letters


async def test_of_two_dead_letter_queues_neither_is_chosen(driver: Driver) -> None:
    await driver.settle(await driver.running("a", queue="own"), "fail")
    await driver.redis.rpush("rrq:dlq:other", "a")

    [finding] = (await examined(driver)).findings

    assert (finding.kind, finding.remedy) == ("twice-dead", None)
    assert "also in " in finding.detail


# -- what nobody can know ---------------------------------------------------------------


async def test_a_job_that_an_old_worker_may_run_is_only_named(driver: Driver) -> None:
    await active_without_lease(driver, "a")
    await driver.redis.set("rrq:lock:job:a", "rrq_worker_old", ex=1000)
    await driver.redis.zadd("rrq:active:jobs:rrq_worker_old", {"a": 1})
    await driver.redis.set("rrq:health:worker:rrq_worker_old", "{}", ex=1000)

    examination = await examined(driver)

    assert len(examination.findings) == 3
    assert {one.remedy for one in examination.findings} == {None}
    assert await repair(driver.store, examination) == []
    assert await driver.status("a") == "ACTIVE"


async def test_a_lock_that_an_old_worker_takes_after_the_look_is_left_to_it(
    driver: Driver,
) -> None:
    await driver.redis.set("rrq:lock:job:a", "rrq_worker_old", ex=1000)
    await driver.redis.zadd("rrq:active:jobs:rrq_worker_old", {"a": 1})
    examination = await examined(driver)
    await driver.redis.hset("rrq:job:a", mapping={"function_name": "f", "status": "PENDING"})
    await driver.redis.set("rrq:health:worker:rrq_worker_old", "{}", ex=1000)

    assert await repair(driver.store, examination) == []

    assert await driver.redis.exists("rrq:lock:job:a", "rrq:active:jobs:rrq_worker_old") == 2


async def test_of_two_queues_that_are_not_its_own_neither_is_chosen(driver: Driver) -> None:
    await driver.redis.hset("rrq:job:a", mapping={"function_name": "f", "status": "PENDING"})
    for queue in ("default", "mail"):
        await driver.redis.zadd(f"rrq:queue:{queue}", {"a": 1})
    await driver.redis.hset("rrq:job:a", "queue_name", "third")

    examination = await examined(driver)

    assert {one.kind for one in examination.findings} == {"queued-twice"}
    assert await repair(driver.store, examination) == []


async def test_a_token_that_somebody_made_up_does_not_use_up_the_counter(driver: Driver) -> None:
    await driver.running("a", queue="own")
    given_out = await driver.redis.get("rrq:lease:token")
    await driver.redis.hset("rrq:job:a", "lease_token", str(2**55))

    [finding] = (await examined(driver)).findings
    assert (finding.kind, finding.remedy) == ("token-went-back", None)
    assert await mended(driver) == []

    assert await driver.redis.get("rrq:lease:token") == given_out


# -- atomic steps -----------------------------------------------------------------------

CHANGES: dict[str, Callable[[Driver], Awaitable[object]]] = {
    "type": lambda driver: driver.redis.delete("rrq:job:a"),
    "status": lambda driver: driver.redis.hset("rrq:job:a", "status", "RETRYING"),
    "queue": lambda driver: driver.redis.hset("rrq:job:a", "queue_name", "mail"),
    "token": lambda driver: driver.redis.hset("rrq:job:a", "lease_token", "9"),
    "lease": lambda driver: driver.redis.zadd("rrq:leases", {"a": 1}),
    "ttl": lambda driver: driver.redis.expire("rrq:job:a", 1000),
    "old lock": lambda driver: driver.redis.set("rrq:lock:job:a", "x"),
    "place": lambda driver: driver.redis.zadd("rrq:queue:mail", {"a": 1}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_job_that_is_not_as_it_was_seen_is_not_touched(
    driver: Driver, change: Callable[[Driver], Awaitable[object]]
) -> None:
    await waiting_nowhere(driver, "a")
    steps = Steps(driver.redis, "rrq")
    places = ("default", "", "", "mail", "", "")
    seen = ("a", "hash", "PENDING", "default", "", "", "", "", 2, *places)
    ends = ("default", 1, 1, 1, 1)
    await change(driver)
    before = {key: await driver.redis.dump(key) for key in await driver.all_keys()}

    assert await steps.call("mend_lost", *seen, "", "default", 0, *ends) == 0
    assert await steps.call("mend_place", *seen, "", "ACTIVE", "x", "1") == 0

    assert {key: await driver.redis.dump(key) for key in await driver.all_keys()} == before


async def test_the_same_job_as_it_was_seen_is_mended(driver: Driver) -> None:
    await waiting_nowhere(driver, "a")
    places = ("default", "", "", "mail", "", "")
    seen = ("a", "hash", "PENDING", "default", "", "", "", "", 2, *places)

    arguments = (*seen, "", "default", 0, "default", 1, 1, 1, 1)
    assert await Steps(driver.redis, "rrq").call("mend_lost", *arguments) == 1

    assert "a" in await driver.waiting()
