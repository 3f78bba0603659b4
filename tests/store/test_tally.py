"""What the steps count, as `Statistics` reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from rrq.store.statistics import OTHERS, Statistics, Times, Window
from tests.store.driving import Driver, verdict


@pytest.fixture
def statistics(driver: Driver) -> Statistics:
    return driver.store.statistics


async def last_hour(statistics: Statistics, kind: str, name: str) -> Window:
    [window] = (await statistics.windows(kind, [name], [60]))[name]  # type: ignore[arg-type]
    return window


async def total(statistics: Statistics, kind: str, name: str) -> Counter[str]:
    return (await statistics.totals(kind, [name]))[name]  # type: ignore[arg-type]


async def test_every_event_is_counted_by_queue_and_by_function(
    driver: Driver, statistics: Statistics
) -> None:
    for job_id, function in (("a", "greet"), ("b", "greet"), ("c", "part")):
        await driver.enqueue(job_id, function_name=function, queue="mail")
    first, second, third = await driver.claim(queues=["mail"])
    await driver.settle(first, "complete")
    await driver.settle(second, "retry", "no luck")
    await driver.settle(third, "release")
    await driver.make_due("b", "mail")
    for claim in await driver.claim(queues=["mail"]):
        kind = "fail" if claim.job_id == "b" else "lost"
        await driver.settle(claim, kind, "broken")  # type: ignore[arg-type]
    await driver.store.jobs.cancel("c")

    in_queue = await total(statistics, "queue", "mail")
    assert in_queue == {
        "enqueued": 3,
        "started": 5,
        "completed": 1,
        "failed": 2,
        "retried": 1,
        "dead_lettered": 1,
        "released": 1,
        "lost": 1,
        "cancelled": 1,
    }
    by_function = [await total(statistics, "function", name) for name in ("greet", "part")]
    assert by_function[0] + by_function[1] == in_queue
    assert by_function[1] == {"enqueued": 1, "started": 2, "released": 1, "lost": 1, "cancelled": 1}


async def test_the_last_minutes_tell_the_same_as_the_totals(
    driver: Driver, statistics: Statistics
) -> None:
    await driver.settle(await driver.running("a"), "complete")
    window = await last_hour(statistics, "queue", "default")
    assert window.events == await total(statistics, "queue", "default")
    assert window.per_second("completed") == pytest.approx(1 / 3600)


async def test_totals_grow_by_a_minute_when_the_next_one_begins(
    driver: Driver, statistics: Statistics
) -> None:
    redis, minute = driver.redis, int(await driver.now_ms()) // 60_000 - 7
    last = f"rrq:stats:minute:{minute}:queue:default"
    await redis.zadd("rrq:stats:queues", {"default": minute})
    await redis.hset("rrq:stats:queue:default", mapping={"completed": 10, "lost": 2})
    counts = {
        "completed": 3,
        "dead_lettered": 1,
        "wait:0": 4,
        "wait:64": 1,
        "wait_us": 9,
        "run:3": 8,
    }
    await redis.hset(last, mapping=counts)
    before = {"completed": 13, "lost": 2, "dead_lettered": 1, "started": 5}
    assert await total(statistics, "queue", "default") == before

    for _ in range(2):
        await driver.enqueue()
    assert await total(statistics, "queue", "default") == {**before, "enqueued": 2}
    assert await redis.hgetall("rrq:stats:queue:default") == {
        name.encode(): str(count).encode() for name, count in before.items()
    }
    assert 7000 < await redis.ttl(last) <= 7200
    # The minute that is not in the totals yet lasts as long as they do.
    keys = await redis.keys("rrq:stats:minute:*:queue:default")
    [current] = [key for key in keys if key != last.encode()]
    assert await redis.ttl(current) > 29 * 86_400


async def test_a_name_that_holds_any_byte_keeps_its_counts_when_a_minute_ends(
    driver: Driver, statistics: Statistics
) -> None:
    minute, name = int(await driver.now_ms()) // 60_000 - 7, "a\0%d:b"
    await driver.redis.zadd("rrq:stats:functions", {name: minute})
    await driver.redis.hset(f"rrq:stats:minute:{minute}:function:{name}", "completed", "3")
    await driver.enqueue(function_name=name)
    assert await total(statistics, "function", name) == {"completed": 3, "enqueued": 1}


async def test_a_minute_that_ends_while_totals_are_read_counts_once(
    driver: Driver, statistics: Statistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = int(await driver.now_ms()) // 60_000 - 7
    await driver.redis.zadd("rrq:stats:queues", {"default": minute})
    await driver.redis.hset(f"rrq:stats:minute:{minute}:queue:default", "completed", "3")
    read = statistics._hashes

    async def as_a_minute_ends(keys: Sequence[str]) -> list[Any]:
        monkeypatch.setattr(statistics, "_hashes", read)
        await driver.enqueue()
        return await read(keys)

    monkeypatch.setattr(statistics, "_hashes", as_a_minute_ends)
    assert await total(statistics, "queue", "default") == {"completed": 3, "enqueued": 1}


async def test_the_wait_counts_from_when_the_job_was_due(
    driver: Driver, statistics: Statistics
) -> None:
    await driver.enqueue("a", at_ms=await driver.now_ms() - 5000)
    await driver.claim()
    window = await last_hour(statistics, "function", "greet")
    assert window.wait.count == 1
    assert window.wait.average_ms == pytest.approx(5000, rel=0.2)
    assert window.wait.percentile_ms(50) == pytest.approx(5000, rel=0.25)


async def test_the_run_time_is_counted_of_attempts_that_came_to_an_end(
    driver: Driver, statistics: Statistics
) -> None:
    for job_id in "abcd":
        await driver.enqueue(job_id)
    kinds = ("complete", "fail", "lost", "release")
    verdicts = [
        verdict(claim, kind, "1")  # type: ignore[arg-type]
        for claim, kind in zip(await driver.claim(), kinds, strict=True)
    ]
    for one in verdicts:
        one.run_ms = 120.5
    await driver.store.leases.settle(verdicts)
    window = await last_hour(statistics, "queue", "default")
    assert (window.run.count, window.run.sum_us) == (2, 241_000)


async def test_a_verdict_that_is_sent_again_or_too_late_counts_once(
    driver: Driver, statistics: Statistics
) -> None:
    claim = await driver.running("a")
    for _ in range(3):
        await driver.settle(claim, "complete")
    assert (await total(statistics, "queue", "default"))["completed"] == 1


async def test_a_lease_that_ran_out_counts_as_lost(driver: Driver, statistics: Statistics) -> None:
    await driver.running("a")
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    assert (await total(statistics, "function", "greet"))["lost"] == 1


async def test_a_dead_letter_that_is_requeued_counts_as_enqueued_again(
    driver: Driver, statistics: Statistics
) -> None:
    await driver.settle(await driver.running("a"), "fail", "broken")
    async for _ in driver.store.dead_letters.sweep("default", "requeue"):
        pass
    assert (await total(statistics, "queue", "default"))["enqueued"] == 2


async def test_beyond_a_thousand_functions_the_rest_are_counted_together(
    driver: Driver, statistics: Statistics
) -> None:
    for start in range(0, 1003, 17):
        jobs = [f"f{number}" for number in range(start, start + 17)]
        for name in jobs:
            await driver.enqueue(function_name=name)
    names = await statistics.names("function")
    assert len(names) == 1001
    assert (await total(statistics, "function", OTHERS))["enqueued"] == 1003 - 1000
    assert (await total(statistics, "queue", "default"))["enqueued"] == 1003
    assert await driver.redis.exists("rrq:stats:function:f1002") == 0


async def test_a_name_that_nobody_used_for_a_month_gives_its_place_up(
    driver: Driver, statistics: Statistics
) -> None:
    minute = int(await driver.now_ms()) // 60_000
    old = {f"old{number}": minute - 30 * 1440 - 1 for number in range(1000)}
    await driver.redis.zadd("rrq:stats:functions", old)
    await driver.enqueue()
    assert await statistics.names("function") == ["greet"]


async def test_a_very_long_name_is_counted_with_the_others(
    driver: Driver, statistics: Statistics
) -> None:
    await driver.enqueue(function_name="f" * 201)
    assert await statistics.names("function") == [OTHERS]


async def test_whatever_stands_under_the_keys_no_step_fails_over_it(
    driver: Driver, statistics: Statistics
) -> None:
    minute = int(await driver.now_ms()) // 60_000
    keys = [
        "rrq:stats:queues",
        "rrq:stats:queue:default",
        *(f"rrq:stats:minute:{minute + more}:queue:default" for more in (0, 1)),
        "rrq:history",
        *(f"rrq:history:ended:{minute + m}:COMPLETED:7:default:greet" for m in (0, 1)),
    ]
    for key in keys:
        await driver.redis.set(key, "not what it should be")
    assert await driver.settle(await driver.running("a"), "complete") == "complete"
    assert await driver.status("a") == "COMPLETED"
    assert await statistics.totals("queue", ["default"]) == {"default": Counter()}


async def test_the_queue_of_a_plain_producer_is_known_once_a_job_of_it_ran(driver: Driver) -> None:
    await driver.redis.hset("rrq:job:a", mapping={"function_name": "greet", "status": "PENDING"})
    await driver.redis.zadd("rrq:queue:foreign", {"a": 1})
    await driver.claim(queues=["foreign"])
    assert await driver.store.queues.names() == ["foreign"]


async def test_counts_that_cannot_be_read_are_passed_over(
    driver: Driver, statistics: Statistics
) -> None:
    await driver.redis.hset(
        "rrq:stats:queue:default", mapping={"completed": "3", "failed": "x", "run:y": "1"}
    )
    assert await total(statistics, "queue", "default") == {"completed": 3}


def test_percentiles_lie_within_a_fifth_of_the_truth() -> None:
    times = Times()
    values = [float(ms) for ms in range(1, 1001)]
    for ms in values:
        # As `bucket_of` in `_tally.lua`, which the tests above run.
        bucket = next(n for n in range(1, 65) if ms < 2 ** (n / 2))
        times.buckets[bucket] += 1
    for percent in (50, 95, 99):
        assert times.percentile_ms(percent) == pytest.approx(percent * 10, rel=0.2)


def test_no_times_have_no_average() -> None:
    assert (Times().average_ms, Times().percentile_ms(99)) == (None, None)


async def test_the_oldest_minute_of_a_window_counts_in_part(
    driver: Driver, statistics: Statistics
) -> None:
    seconds = int(await driver.now_ms()) // 1000
    minute, elapsed = divmod(seconds, 60)
    for ago, count in ((0, 1), (1, 60), (2, 1000)):
        await driver.redis.hset(
            f"rrq:stats:minute:{minute - ago}:queue:default", "completed", str(count)
        )
    [window] = (await statistics.windows("queue", ["default"], [1]))["default"]
    assert window.events["completed"] == pytest.approx(1 + (60 - elapsed), abs=2)
