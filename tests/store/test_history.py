"""The history of jobs that ended, and the list that is made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rrq.job import JobStatus
from rrq.store.history import Ended, Stretch
from rrq.store.listing import Choice, Listed
from rrq.store.statistics import OTHERS
from tests.store.driving import Driver, verdict


async def ended(driver: Driver, **choice: object) -> list[str]:
    pages = [page async for page in driver.store.history.ended(**choice)]  # type: ignore[arg-type]
    return [one.job_id for page in pages for one in page]


async def listed(driver: Driver, limit: int = 20, offset: int = 0, **choice: object) -> Listed:
    return await driver.store.listing.page(Choice(**choice), limit=limit, offset=offset)  # type: ignore[arg-type]


def ids(page: Listed) -> list[str]:
    return [job.job_id for job in page.jobs]


async def finish(driver: Driver, *job_ids: str, kind: str = "complete", **options: object) -> None:
    for job_id in job_ids:
        claim = await driver.running(job_id, **options)
        await driver.settle(claim, kind, "1")  # type: ignore[arg-type]


async def test_jobs_that_ended_are_found_the_newest_first(driver: Driver) -> None:
    await finish(driver, "a", "b", "c")
    assert ids(await listed(driver)) == ["c", "b", "a"]


async def test_status_queue_and_function_choose(driver: Driver) -> None:
    await finish(driver, "a", function_name="one", queue="mail")
    await finish(driver, "b", kind="fail", function_name="one", queue="mail")
    await finish(driver, "c", function_name="py#two", queue="mail")
    await finish(driver, "d", function_name="one")

    assert await ended(driver, statuses={JobStatus.FAILED}) == ["b"]
    assert await ended(driver, queue="default") == ["d"]
    assert await ended(driver, function="one", queue="mail") == ["b", "a"]
    assert await ended(driver, function="two") == await ended(driver, function="py#two") == ["c"]
    assert await ended(driver, function="three") == []


async def test_names_with_colons_and_spaces_are_told_apart(driver: Driver) -> None:
    await finish(driver, "a", function_name="c:d", queue="a:b")
    await finish(driver, "b", function_name="b:c:d", queue="a")
    assert await ended(driver, queue="a", function="b:c:d") == ["b"]
    assert await ended(driver, queue="a:b", function="c:d") == ["a"]


async def test_a_range_of_time_chooses(driver: Driver) -> None:
    await finish(driver, "a")
    middle = await driver.now_ms()
    while await driver.now_ms() < middle + 3:
        pass
    await finish(driver, "b")
    assert await ended(driver, since_ms=middle + 2) == ["b"]
    assert await ended(driver, until_ms=middle + 1) == ["a"]
    assert await ended(driver, until_ms=middle - 3_600_000) == []


async def test_hours_without_an_end_are_passed_over(driver: Driver) -> None:
    minute = int(await driver.now_ms()) // 60_000
    name = "COMPLETED:7:default:greet"
    for ago in (0, 90, 20_000, 43_000):
        await driver.redis.rpush(
            f"rrq:history:ended:{minute - ago}:{name}", f"{(minute - ago) * 60_000} job-{ago}"
        )
        await driver.redis.zadd(f"rrq:history:minutes:{name}", {str(minute - ago): minute - ago})
    await driver.redis.zadd("rrq:history", {name: minute})
    assert await ended(driver) == ["job-0", "job-90", "job-20000", "job-43000"]


async def test_many_ends_in_a_minute_of_several_functions_are_merged_by_time(
    driver: Driver,
) -> None:
    minute = int(await driver.now_ms()) // 60_000 - 1
    for place, function in enumerate(("one", "two")):
        name = f"COMPLETED:7:default:{function}"
        entries = [f"{minute * 60_000 + 2 * n + place} {function}-{n}" for n in range(1200)]
        await driver.redis.rpush(f"rrq:history:ended:{minute}:{name}", *entries)
        await driver.redis.zadd(f"rrq:history:minutes:{name}", {str(minute): minute})
        await driver.redis.zadd("rrq:history", {name: minute})
    pages = [page async for page in driver.store.history.ended()]
    everything = [one for page in pages for one in page]
    assert len(everything) == 2400
    assert everything == sorted(everything, reverse=True)
    assert everything[0] == Ended(minute * 60_000 + 2399, "two-1199", "COMPLETED")


async def longest_ttl_seconds(driver: Driver) -> int:
    # A minute may have ended between two of them.
    return max([await driver.redis.ttl(key) for key in await driver.redis.keys("rrq:history:e*")])


async def test_an_entry_lives_as_long_as_its_job(driver: Driver) -> None:
    await finish(driver, "short", result_ttl_seconds=100)
    assert 100 < await longest_ttl_seconds(driver) <= 160
    await finish(driver, "long", result_ttl_seconds=5000)
    assert 5000 < await longest_ttl_seconds(driver) <= 5060
    await finish(driver, "for ever", result_ttl_seconds=0)
    assert 30 * 86400 < await longest_ttl_seconds(driver) <= 30 * 86400 + 60


async def test_a_job_that_runs_again_is_not_listed_as_ended(driver: Driver) -> None:
    await finish(driver, "a", kind="fail")
    async for _ in driver.store.dead_letters.sweep("default", "requeue"):
        pass
    page = await listed(driver)
    assert [(job.job_id, job.status) for job in page.jobs] == [("a", "PENDING")]
    [claim] = await driver.claim()
    await driver.settle(claim, "fail", "again")
    page = await listed(driver)
    assert [(job.job_id, job.error) for job in page.jobs] == [("a", "again")]


async def test_a_job_that_is_met_twice_is_listed_once(driver: Driver) -> None:
    await finish(driver, "a")
    [key] = await driver.redis.keys("rrq:history:ended:*")
    [entry] = await driver.redis.lrange(key, 0, -1)
    await driver.redis.rpush(key, *[entry] * 600)
    assert ids(await listed(driver)) == ["a"]


async def test_a_job_whose_hash_is_gone_is_not_listed(driver: Driver) -> None:
    await finish(driver, "a", "b")
    await driver.redis.delete("rrq:job:b")
    assert ids(await listed(driver)) == ["a"]


async def test_jobs_in_every_state_are_in_one_list(driver: Driver) -> None:
    await finish(driver, "completed")
    await finish(driver, "failed", kind="fail")
    await driver.settle(await driver.running("retrying"), "retry", "no", 60_000)
    await driver.running("active")
    await driver.enqueue("cancelled")
    await driver.store.jobs.cancel("cancelled")
    await driver.enqueue("pending", queue="mail")

    page = await listed(driver)

    assert {job.job_id.upper(): job.status for job in page.jobs} == {
        status: status for status in JobStatus.__members__
    }
    for status in JobStatus:
        assert ids(await listed(driver, statuses=frozenset({status}))) == [status.lower()]
    assert ids(await listed(driver, queue="mail")) == ["pending"]
    assert ids(await listed(driver, error="NO")) == ["retrying"]


async def test_pages_follow_each_other(driver: Driver) -> None:
    await finish(driver, *"abcde")
    first, second = await listed(driver, 3), await listed(driver, 3, 3)
    assert (ids(first), first.has_more) == (["e", "d", "c"], True)
    assert (ids(second), second.has_more) == (["b", "a"], False)


async def test_no_more_waiting_jobs_are_looked_at_than_allowed(driver: Driver) -> None:
    for number in range(30):
        await driver.enqueue(f"job-{number}", function_name="odd" if number % 2 else "even")
    page = await driver.store.listing.page(Choice(function="even"), limit=20, max_scan=10)
    assert (page.looked.seen, page.looked.total, page.looked.is_partial) == (10, 30, True)
    assert len(page.jobs) == 5
    page = await driver.store.listing.page(Choice(function="even"), limit=20, max_scan=0)
    assert (len(page.jobs), page.looked.is_partial) == (15, False)


async def test_the_time_of_the_last_change_chooses(driver: Driver) -> None:
    await finish(driver, "a")
    now = datetime.now(UTC)
    assert ids(await listed(driver, since=now - timedelta(hours=1))) == ["a"]
    assert ids(await listed(driver, since=now + timedelta(hours=1))) == []
    assert ids(await listed(driver, until=now - timedelta(hours=1))) == []


async def test_beyond_the_named_functions_jobs_are_found_all_the_same(driver: Driver) -> None:
    await finish(driver, "a", function_name="f" * 250)
    await finish(driver, "b", function_name="g" * 250)
    assert ids(await listed(driver, function="f" * 250)) == ["a"]
    assert await ended(driver, function="f" * 250) == ["b", "a"]


async def test_a_batch_of_ends_costs_one_entry_each(driver: Driver) -> None:
    for number in range(40):
        await driver.enqueue(f"job-{number}")
    claims = await driver.claim(room=40)
    await driver.store.leases.settle([verdict(claim, "complete") for claim in claims])
    assert len(await ended(driver)) == 40


def test_a_name_that_is_no_stretch_is_none() -> None:
    assert Stretch.read("COMPLETED:x:default:greet") is None
    assert Stretch.read(f"FAILED:8:{OTHERS}:{OTHERS}") == Stretch(
        f"FAILED:8:{OTHERS}:{OTHERS}", "FAILED", OTHERS, OTHERS
    )
