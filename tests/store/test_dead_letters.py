"""Sweeping a dead letter queue: requeue and delete, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from msgspec import Raw
from redis import Redis

from rrq.settings import RRQSettings
from rrq.store.dead_letter import EVERYTHING, Wanted
from rrq.store.dlq import Swept
from rrq.store.scripts import Steps
from tests.store.driving import WORKER, Driver
from tests.support.dead_letters import DEATH, bury

Bury = Callable[..., None]
Action = Literal["requeue", "delete"]

BOTH: list[Action] = ["requeue", "delete"]


@pytest.fixture
def dead(settings: RRQSettings) -> Iterator[Bury]:
    """Buries jobs on the shared server: see `bury`."""
    with Redis.from_url(settings.redis_dsn) as client:
        yield lambda *ids, **fields: bury(client, ids, **fields)


async def swept(
    driver: Driver, action: Action, wanted: Wanted = EVERYTHING, **options: Any
) -> Swept:
    """A whole sweep of the default dead letter queue."""
    total = Swept()
    async for done in driver.store.dead_letters.sweep("default", action, wanted, **options):
        total += done
    return total


# -- requeue ----------------------------------------------------------------------------


async def test_a_requeued_job_waits_in_its_own_queue_with_fresh_attempts(
    driver: Driver, dead: Bury
) -> None:
    dead("a")
    before = await driver.now_ms()

    assert await swept(driver, "requeue") == Swept(seen=1, swept=1)

    assert (await driver.waiting("mail"), await driver.dead()) == (["a"], [])
    stored = await driver.hash("a")
    assert stored["status"] == "PENDING"
    assert (stored["current_retries"], stored["lost_count"]) == ("0", "0")
    assert "completion_time" not in stored
    assert await driver.ttl_seconds("a") == -1
    assert json.loads(stored["attempts"])[0]["attempt"] == 3
    due_ms = await driver.due_ms("a", "mail")
    assert due_ms is not None
    assert before <= due_ms <= await driver.now_ms() + 1
    assert "mail" in await driver.store.queues.names()


async def test_a_requeued_job_runs_and_its_history_goes_on(driver: Driver, dead: Bury) -> None:
    dead("a")
    await swept(driver, "requeue")

    [claim] = await driver.claim(queues=["mail"])
    await driver.settle(claim, "complete", Raw(b"1"), attempt=b'{"outcome":"success"}')

    stored = await driver.hash("a")
    assert stored["status"] == "COMPLETED"
    assert [one["outcome"] for one in json.loads(stored["attempts"])] == ["error", "success"]


async def test_a_requeued_job_that_fails_for_good_is_a_dead_letter_again(
    driver: Driver, dead: Bury
) -> None:
    dead("a")
    await swept(driver, "requeue")

    [claim] = await driver.claim(queues=["mail"])
    await driver.settle(claim, "fail", "again")

    assert await driver.dead() == ["a"]
    assert (await driver.hash("a"))["current_retries"] == "1"


async def test_requeueing_wakes_a_parked_worker(driver: Driver, dead: Bury) -> None:
    await driver.claim(queues=["mail"])
    assert await driver.parked("mail") == [WORKER]
    dead("a")

    await swept(driver, "requeue")

    assert await driver.mail(WORKER) == ["wake"]


@pytest.mark.parametrize("target", ["rescue", "rrq:queue:rescue"])
async def test_jobs_are_requeued_into_another_queue_on_request(
    driver: Driver, dead: Bury, target: str
) -> None:
    dead("a")

    await swept(driver, "requeue", target_queue=target)

    assert (await driver.waiting("mail"), await driver.waiting("rescue")) == ([], ["a"])
    assert (await driver.hash("a"))["queue_name"] == "rescue"


async def test_a_job_without_a_queue_goes_to_the_default_queue(driver: Driver, dead: Bury) -> None:
    dead("a", queue_name="")

    await swept(driver, "requeue")

    assert await driver.waiting() == ["a"]


async def test_jobs_are_requeued_the_oldest_first_in_the_order_of_their_deaths(
    driver: Driver, dead: Bury
) -> None:
    ids = [f"job-{number:03}" for number in range(250)]
    dead(*ids)

    await swept(driver, "requeue", at_once=100)

    assert await driver.waiting("mail") == ids


async def test_no_more_are_requeued_than_the_limit(driver: Driver, dead: Bury) -> None:
    dead(*[f"job-{number}" for number in range(9)])

    assert (await swept(driver, "requeue", limit=5, at_once=2)).swept == 5

    assert await driver.waiting("mail") == [f"job-{number}" for number in range(5)]
    assert await driver.dead() == ["job-8", "job-7", "job-6", "job-5"]


async def test_a_requeued_job_holds_its_unique_key_if_that_is_free(
    driver: Driver, dead: Bury
) -> None:
    dead("a", job_unique_key="k")

    await swept(driver, "requeue")

    assert await driver.holder("k") == "a"
    assert (await driver.enqueue("b", unique_key="k")).is_duplicate


async def test_a_requeued_job_whose_unique_key_is_held_runs_after_the_holder(
    driver: Driver, dead: Bury
) -> None:
    holder = await driver.running("holder", unique_key="k")
    dead("a", job_unique_key="k")

    await swept(driver, "requeue")

    assert await driver.claim(queues=["mail"]) == []
    await driver.settle(holder, "complete")
    assert [claim.job_id for claim in await driver.claim(queues=["mail"])] == ["a"]


# -- delete -----------------------------------------------------------------------------


async def test_a_deleted_dead_letter_leaves_nothing(driver: Driver, dead: Bury) -> None:
    dead("a", "b")

    assert (await swept(driver, "delete")).swept == 2

    assert await driver.all_keys() == set()


# -- which of them ----------------------------------------------------------------------


@pytest.mark.parametrize("action", BOTH)
async def test_only_what_fits_is_swept_and_the_others_keep_their_places(
    driver: Driver, dead: Bury, action: Action
) -> None:
    for number in range(300):
        dead(f"job-{number:03}", function_name="odd" if number % 2 else "even")

    assert (await swept(driver, action, Wanted(function="odd"), at_once=70)).swept == 150

    assert await driver.dead() == [f"job-{number:03}" for number in range(298, -1, -2)]
    left = {f"rrq:job:job-{number:03}" for number in range(0, 300, 2)}
    if action == "delete":
        assert await driver.all_keys() == {"rrq:dlq:default", *left}
    else:
        assert await driver.waiting("mail") == [f"job-{n:03}" for n in range(1, 300, 2)]
        assert {await driver.status(key[8:]) for key in left} == {"FAILED"}


async def test_one_job_is_swept_by_its_id(driver: Driver, dead: Bury) -> None:
    dead("a", "b", "c")

    await swept(driver, "requeue", Wanted(job_id="b"))

    assert (await driver.waiting("mail"), await driver.dead()) == (["b"], ["c", "a"])


async def test_jobs_that_fail_during_a_sweep_are_left_for_the_next(
    driver: Driver, dead: Bury
) -> None:
    dead(*[f"job-{number}" for number in range(10)])

    async for _ in driver.store.dead_letters.sweep("default", "requeue", at_once=3):
        [claim, *_] = await driver.claim(queues=["mail"], room=1)
        await driver.settle(claim, "fail", "again")

    dead_again = await driver.dead()
    assert len(dead_again) == 4
    assert sorted(dead_again + await driver.waiting("mail")) == [f"job-{n}" for n in range(10)]


async def test_a_job_that_failed_anew_since_it_was_chosen_stays(driver: Driver, dead: Bury) -> None:
    dead("a")
    steps = Steps(driver.redis, "rrq")
    arguments = ("requeue", "default", 0, "", "", "default", 1000, "a")

    answer = await steps.call("sweep", *arguments, "2025-12-31T00:00:00Z")
    assert answer == [1, 0, 0, 0, 0, 1, b"a"]
    assert await driver.dead() == ["a"]

    assert await steps.call("sweep", *arguments, DEATH) == [1, 1, 0, 0, 0, 0, b""]
    assert await driver.waiting("mail") == ["a"]


async def test_a_step_that_is_sent_again_does_nothing(driver: Driver, dead: Bury) -> None:
    dead("a", "b")
    steps = Steps(driver.redis, "rrq")
    arguments = ("requeue", "default", 0, "", "", "default", 1000, "a", "any")

    assert (await steps.call("sweep", *arguments))[1] == 1
    assert await steps.call("sweep", *arguments) == [0, 0, 0, 0, 0, 0, b""]

    assert (await driver.waiting("mail"), await driver.dead()) == (["a"], ["b"])


# -- entries that are none --------------------------------------------------------------


@pytest.mark.parametrize("action", BOTH)
@pytest.mark.parametrize("wanted", [EVERYTHING, Wanted(queue="mail")])
async def test_entries_whose_hash_has_expired_are_removed_as_they_are_met(
    driver: Driver, dead: Bury, action: Action, wanted: Wanted
) -> None:
    dead("a", "gone-1", "b", "gone-2")
    await driver.redis.delete("rrq:job:gone-1", "rrq:job:gone-2")

    assert await swept(driver, action, wanted) == Swept(seen=4, swept=2, expired=2)

    assert await driver.dead() == []


@pytest.mark.parametrize("action", BOTH)
async def test_a_job_that_waits_runs_or_ended_well_loses_its_entry_and_nothing_else(
    driver: Driver, dead: Bury, action: Action
) -> None:
    await driver.running("runs")
    await driver.enqueue("waits")
    done = await driver.running("done", queue="other")
    await driver.settle(done, "complete")
    for job_id in ("runs", "waits", "done"):
        await driver.redis.lpush("rrq:dlq:default", job_id)
    before = [await driver.hash(job_id) for job_id in ("runs", "waits", "done")]

    assert await swept(driver, action) == Swept(seen=3, alive=3)

    assert [await driver.hash(job_id) for job_id in ("runs", "waits", "done")] == before
    assert (await driver.leased(), await driver.waiting(), await driver.dead()) == (
        ["runs"],
        ["waits"],
        [],
    )


async def test_an_id_that_stands_twice_in_the_list_is_requeued_once(
    driver: Driver, dead: Bury
) -> None:
    dead("a", "b", "a")

    assert await swept(driver, "requeue") == Swept(seen=3, swept=2, alive=1)

    assert (await driver.waiting("mail"), await driver.dead()) == (["a", "b"], [])


async def test_what_cannot_be_requeued_stays_and_holds_up_nothing_else(
    driver: Driver, dead: Bury
) -> None:
    dead("a", queue_name="no queue")
    dead("b", "c")
    await driver.redis.set("rrq:queue:no queue", "x")
    await driver.redis.set("rrq:job:b", "x")

    assert await swept(driver, "requeue") == Swept(seen=3, swept=1, refused=2)
    assert (await driver.waiting("mail"), await driver.dead()) == (["c"], ["b", "a"])
    assert await driver.status("a") == "FAILED"

    assert await swept(driver, "requeue", target_queue="mail") == Swept(2, 1, refused=1)
    assert (await swept(driver, "delete")).swept == 1
    assert await driver.all_keys() & {"rrq:dlq:default", "rrq:job:b"} == set()


# -- interruptions and company ----------------------------------------------------------


@pytest.mark.parametrize("wanted", [EVERYTHING, Wanted(function="even")])
async def test_left_off_after_any_step_every_id_is_in_one_place_and_a_new_sweep_goes_on(
    driver: Driver, dead: Bury, wanted: Wanted
) -> None:
    for number in range(60):
        dead(f"job-{number}", function_name="odd" if number % 2 else "even")
    meant = [f"job-{n}" for n in range(60) if wanted.is_everything or n % 2 == 0]

    for _ in range(30):
        steps = driver.store.dead_letters.sweep("default", "requeue", wanted, at_once=8)
        async for done in steps:
            if done.swept:
                break
        await steps.aclose()
        places = await driver.dead() + await driver.waiting("mail")
        assert sorted(places) == sorted(f"job-{number}" for number in range(60))

    assert await driver.waiting("mail") == meant


async def test_two_sweeps_at_the_same_time_requeue_every_job_once(
    driver: Driver, dead: Bury
) -> None:
    for number in range(400):
        dead(f"job-{number:03}", function_name=("one", "two", "three")[number % 3])
    letters = driver.store.dead_letters
    one = letters.sweep("default", "requeue", Wanted(function="one"), at_once=7)
    others = letters.sweep("default", "requeue", Wanted(error="address"), at_once=11, limit=200)

    totals = {one: 0, others: 0}
    running = [one, others]
    while running:
        for sweep in list(running):
            done = await anext(sweep, None)
            if done is None:
                running.remove(sweep)
            else:
                totals[sweep] += done.swept

    waiting, dead_ids = await driver.waiting("mail"), await driver.dead()
    assert len(waiting) == sum(totals.values())
    assert totals[others] == 200
    assert sorted(waiting + dead_ids) == [f"job-{number:03}" for number in range(400)]
    assert dead_ids == sorted(dead_ids, reverse=True)
    functions = {(await driver.hash(job_id))["function_name"] for job_id in dead_ids}
    assert functions == {"two", "three"}


async def test_a_sweep_meets_what_is_left_when_everything_behind_it_was_taken_away(
    driver: Driver, dead: Bury
) -> None:
    dead(*[f"kept-{number}" for number in range(20)], function_name="other")
    dead(*[f"meant-{number}" for number in range(5)])
    steps = driver.store.dead_letters.sweep(
        "default", "requeue", Wanted(function="send_email"), at_once=10
    )
    assert (await anext(steps)).seen == 10

    await driver.redis.ltrim("rrq:dlq:default", 0, 4)
    assert sum([done.swept async for done in steps]) == 5

    assert len(await driver.waiting("mail")) == 5


@pytest.mark.parametrize("action", BOTH)
@pytest.mark.parametrize("wanted", [EVERYTHING, Wanted(function="even")])
async def test_no_step_through_5000_dead_letters_keeps_redis_for_20_ms(
    driver: Driver, dead: Bury, action: Action, wanted: Wanted
) -> None:
    slow: list[Any] = []
    await driver.redis.config_set("slowlog-log-slower-than", 20_000)
    try:
        # What a step itself needs, it needs every time; a busy machine is not that regular.
        for _ in range(3):
            await driver.redis.flushdb()
            dead(*[f"odd-{number}" for number in range(2_500)], function_name="odd")
            dead(*[f"even-{number}" for number in range(2_500)], function_name="even")
            await driver.redis.slowlog_reset()
            expected = 5_000 if wanted.is_everything else 2_500
            assert (await swept(driver, action, wanted)).swept == expected
            slow = await driver.redis.slowlog_get()
            if not slow:
                break
    finally:
        await driver.redis.config_set("slowlog-log-slower-than", 10_000)

    assert slow == []


# -- reading ----------------------------------------------------------------------------


async def test_letters_are_read_the_newest_first_or_the_oldest_first(
    driver: Driver, dead: Bury
) -> None:
    ids = [f"job-{number}" for number in range(5)]
    dead(*ids)
    letters = driver.store.dead_letters.letters

    newest = [one.job_id async for some in letters("default", at_once=2) for one in some]
    oldest = [
        one.job_id
        async for some in letters("default", oldest_first=True, at_once=2)
        for one in some
    ]

    assert (newest, oldest) == (ids[::-1], ids)
