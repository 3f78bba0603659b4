"""How a claim is divided among executors."""

from __future__ import annotations

from rrq.client import RRQClient
from rrq.job_request import JobRequest
from rrq.store.leases import Claimed, ExecutorRoom, Rooms, TurnedAway
from tests.store.driving import Driver

FULL = ExecutorRoom("slow", 0, True, 0)
BUSY = ExecutorRoom("slow", 0, False, 0)
FAST = ExecutorRoom("fast", 10, False, 0)


async def enqueue(driver: Driver, *functions: str, queue: str = "default") -> list[str]:
    client = RRQClient(driver.settings, driver.store)
    jobs = await client.enqueue_many(
        JobRequest(function, queue_name=queue) for function in functions
    )
    return [job.id for job in jobs if job]


async def claim(
    driver: Driver,
    *executors: ExecutorRoom,
    queues: tuple[str, ...] = ("default",),
    **rooms: object,
) -> Claimed:
    return await driver.store.leases.claim(
        "rrq_worker_1",
        queues,
        10,
        park_ms=1000,
        rooms=Rooms(executors, **{"by_queue": {}, **rooms}),  # type: ignore[arg-type]
    )


async def test_jobs_for_a_full_executor_do_not_hide_another_ones_even_by_the_hundred(
    driver: Driver,
) -> None:
    await enqueue(driver, *["slow#work"] * 500, "fast#work")

    claimed = await claim(driver, FULL, FAST)

    assert [one.function_name for one in claimed.claims] == ["fast#work"]
    assert len(claimed.turned_away) == 500


async def test_jobs_turned_away_stay_in_their_queue_in_order_and_come_back_a_few_at_a_time(
    driver: Driver,
) -> None:
    ids = await enqueue(driver, *["slow#work"] * 25)

    claimed = await claim(driver, FULL, FAST)

    assert [(one.executor, one.queue) for one in claimed.turned_away] == [("slow", "default")] * 25
    assert [one.job_id for one in claimed.turned_away] == ids
    waiting = await driver.store.redis.zrange("rrq:queue:default", 0, -1, withscores=True)
    assert [job_id.decode() for job_id, _ in waiting] == ids
    delays = [round(due - claimed.now_ms) for _, due in waiting]
    assert delays == [100] * 10 + [200] * 10 + [300] * 5


async def test_the_more_were_turned_away_the_longer_they_stay_up_to_a_second(
    driver: Driver,
) -> None:
    await enqueue(driver, "slow#work")
    claimed = await claim(driver, ExecutorRoom("slow", 0, True, 200), FAST)
    [(_, due)] = await driver.store.redis.zrange("rrq:queue:default", 0, -1, withscores=True)
    assert round(due - claimed.now_ms) == 1000


async def test_jobs_for_an_executor_that_is_merely_busy_are_passed_over_where_they_are(
    driver: Driver,
) -> None:
    ids = await enqueue(driver, *["slow#work"] * 150, "fast#work")
    before = await driver.store.redis.zrange("rrq:queue:default", 0, 149, withscores=True)

    claimed = await claim(driver, BUSY, FAST)

    assert [one.job_id for one in claimed.claims] == ids[-1:]
    assert claimed.turned_away == []
    assert await driver.store.redis.zrange("rrq:queue:default", 0, -1, withscores=True) == before


async def test_an_executor_gets_no_more_than_it_has_room_for(driver: Driver) -> None:
    ids = await enqueue(driver, *["slow#work"] * 3, *["fast#work"] * 3)
    claimed = await claim(
        driver, ExecutorRoom("slow", 1, False, 0), ExecutorRoom("fast", 2, False, 0)
    )
    assert [one.job_id for one in claimed.claims] == [ids[0], ids[3], ids[4]]


async def test_the_queue_tells_the_executor_of_jobs_that_name_none(driver: Driver) -> None:
    await enqueue(driver, "resize", queue="images")
    [mail] = await enqueue(driver, "send", queue="mail")
    claimed = await claim(
        driver,
        FULL,
        FAST,
        queues=("images", "mail"),
        by_queue={"images": "slow", "mail": "fast"},
    )
    assert [one.job_id for one in claimed.claims] == [mail]


async def test_a_job_for_an_executor_that_nobody_knows_is_claimed_and_can_be_refused(
    driver: Driver,
) -> None:
    [unknown] = await enqueue(driver, "ruby#work")
    assert [one.job_id for one in (await claim(driver, FULL, FAST)).claims] == [unknown]


async def test_a_recalled_job_is_claimed_at_once_and_one_that_is_gone_is_no_trouble(
    driver: Driver,
) -> None:
    first, second = await enqueue(driver, "slow#work", "slow#work")
    turned_away = (await claim(driver, FULL, FAST)).turned_away
    await driver.store.jobs.cancel(first)

    claimed = await claim(
        driver,
        ExecutorRoom("slow", 2, False, 0),
        recall=(*turned_away, TurnedAway("slow", "no", "x", "1")),
    )

    assert [one.job_id for one in claimed.claims] == [second]
    assert not await driver.store.redis.exists("rrq:queue:no")


async def test_recalled_jobs_keep_their_order(driver: Driver) -> None:
    ids = await enqueue(driver, *["slow#work"] * 5)
    turned_away = (await claim(driver, FULL, FAST)).turned_away
    claimed = await claim(driver, ExecutorRoom("slow", 5, False, 0), recall=turned_away)
    assert [one.job_id for one in claimed.claims] == ids


async def test_a_job_that_was_given_another_time_since_is_not_recalled(driver: Driver) -> None:
    await enqueue(driver, "slow#work")
    turned_away = (await claim(driver, FULL, FAST)).turned_away
    [job] = turned_away
    soon = (await driver.store.now()).timestamp() * 1000 + 1500
    await driver.store.redis.zadd("rrq:queue:default", {job.job_id: soon})

    claimed = await claim(driver, ExecutorRoom("slow", 2, False, 0), recall=turned_away)

    assert claimed.claims == []
    assert await driver.store.redis.zscore("rrq:queue:default", job.job_id) == soon
