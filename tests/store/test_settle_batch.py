"""Verdicts that come together: what most jobs share is done once, and no job pays for another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec import Raw
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.store.claim import Claim
from tests.security.acl import dsn_of, guarded
from tests.store.driving import Driver, new_job, verdict


async def claimed(driver: Driver, *ids: str) -> dict[str, Claim]:
    """Running jobs, by id: plain ones, each its first run, without a unique key."""
    for job_id in ids:
        await driver.enqueue(job_id)
    return {claim.job_id: claim for claim in await driver.claim()}


async def test_jobs_that_succeed_together_end_as_each_would_alone(driver: Driver) -> None:
    alone = (await claimed(driver, "alone"))["alone"]
    await driver.settle(alone, "complete", Raw(b"1"))
    claims = await claimed(driver, "a", "b", "c", "d")
    batch = [verdict(claim, "complete", Raw(b"1")) for claim in claims.values()]
    assert await driver.store.leases.settle(batch) == ["complete"] * 4
    expected = {**await driver.hash("alone"), "id": ""}
    for job_id in claims:
        found = {**await driver.hash(job_id), "id": ""}
        assert found.keys() == expected.keys()
        assert (found["status"], found["result"]) == ("COMPLETED", "1")
        assert 98 <= await driver.ttl_seconds(job_id) <= 100
    assert (await driver.leased(), await driver.waiting()) == ([], [])
    assert (await driver.store.statistics.totals("queue", ["default"]))["default"]["completed"] == 5


async def test_each_of_a_batch_gets_the_answer_to_its_own_verdict(driver: Driver) -> None:
    claims = await claimed(driver, "a", "b", "c", "d", "e", "f")
    await driver.settle(claims["b"], "complete")
    await driver.settle(claims["c"], "release")
    await driver.expire_lease("d")
    await driver.store.leases.reap()
    batch = [
        verdict(claims["a"], "fail", "boom"),
        verdict(claims["b"], "complete"),
        verdict(claims["c"], "complete"),
        verdict(claims["d"], "complete"),
        verdict(claims["e"], "retry", "boom", 60_000),
        verdict(claims["f"], "complete"),
        verdict(claims["f"], "complete"),
    ]
    answers = await driver.store.leases.settle(batch)
    assert answers == ["fail", "repeated", "repeated", "stale", "retry", "complete", "repeated"]
    assert (await driver.leased(), await driver.status("d")) == ([], "PENDING")
    assert await driver.store.leases.settle(batch) == [
        "repeated",
        "repeated",
        "repeated",
        "stale",
        "repeated",
        "repeated",
        "repeated",
    ]


async def test_a_job_that_was_released_is_not_completed_by_the_rest_of_its_batch(
    driver: Driver,
) -> None:
    claims = await claimed(driver, "a", "b", "c")
    a, b, c = claims.values()
    batch = [verdict(a, "complete"), verdict(b, "complete"), verdict(c, "complete")]
    await driver.redis.zrem(driver.keys.leases, "b")
    assert await driver.store.leases.settle(batch) == ["complete", "stale", "complete"]
    assert await driver.status("b") == "ACTIVE"


async def test_a_success_clears_what_a_run_leaves_also_among_others(driver: Driver) -> None:
    claims = await claimed(driver, "a", "b", "c")
    await driver.store.leases.report_progress([("a", claims["a"].token, b"{}")])
    await driver.store.jobs.cancel("b")
    await driver.redis.hset(driver.keys.job("c"), "last_error", "of an earlier life")
    await driver.store.leases.settle([verdict(claim, "complete") for claim in claims.values()])
    for job_id in claims:
        assert (
            not {"progress", "cancel_requested", "last_error"} & (await driver.hash(job_id)).keys()
        )


async def test_who_waits_for_one_of_a_batch_is_told(driver: Driver) -> None:
    claims = await claimed(driver, "a", "b", "c")
    await driver.store.jobs.await_end("b", "client")
    await driver.store.leases.settle([verdict(claim, "complete") for claim in claims.values()])
    assert await driver.mail("client") == ["done b"]
    assert await driver.leased() == []


async def test_an_error_in_a_batch_undoes_nothing_before_it_and_loses_nothing_behind_it(
    driver: Driver,
) -> None:
    claims = await claimed(driver, "a", "b", "c", "d")
    await driver.store.jobs.await_end("c", "client")
    await driver.redis.delete("rrq:waiters:c")
    await driver.redis.set("rrq:waiters:c", "no set")
    batch = [verdict(claim, "complete") for claim in claims.values()]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await driver.store.leases.settle(batch)
    assert await driver.leased() == ["d"]
    assert [await driver.status(job_id) for job_id in "abcd"] == [*["COMPLETED"] * 3, "ACTIVE"]
    # As a worker does then: one by one.
    answers = [(await driver.store.leases.settle([one]))[0] for one in batch]
    assert answers == ["repeated", "repeated", "repeated", "complete"]
    assert (await driver.store.statistics.totals("queue", ["default"]))["default"]["completed"] >= 3


async def test_a_claim_that_meets_an_error_leaves_all_its_jobs_in_their_queue(
    driver: Driver,
) -> None:
    await driver.enqueue("a")
    await driver.enqueue("b", unique_key="k")
    await driver.redis.delete(driver.keys.unique("k"))
    await driver.redis.hset(driver.keys.unique("k"), "no", "string")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await driver.claim()
    assert (await driver.waiting(), await driver.leased()) == (["a", "b"], [])
    await driver.redis.delete(driver.keys.unique("k"))
    assert [claim.job_id for claim in await driver.claim()] == ["a", "b"]
    assert (await driver.waiting(), sorted(await driver.leased())) == ([], ["a", "b"])


@pytest.fixture
async def small(server: EmbeddedRedis) -> AsyncIterator[Driver]:
    """The steps on a server of their own, which may be filled."""
    driver = Driver(RRQSettings(redis_dsn=server.dsn))
    yield driver
    await driver.store.aclose()


async def test_a_full_server_takes_the_successes_of_a_batch(small: Driver) -> None:
    claims = await claimed(small, "a", "b", "c")
    await small.redis.config_set("maxmemory", "1")
    batch = [verdict(claim, "complete") for claim in claims.values()]
    assert await small.store.leases.settle(batch) == ["complete"] * 3
    assert await small.leased() == []


async def test_rules_of_access_that_know_no_zmscore_suffice_to_settle(
    driver: Driver, redis_server: EmbeddedRedis
) -> None:
    claims = await claimed(driver, "a", "b", "c")
    batch = [verdict(claim, "complete") for claim in claims.values()]
    async with guarded(redis_server, "rrq-worker") as administrator:
        await administrator.execute_command("ACL", "SETUSER", "rrq-worker", "-zmscore")
        worker = Driver(RRQSettings(redis_dsn=dsn_of(redis_server, "rrq-worker")))
        assert await worker.store.leases.settle(batch) == ["complete"] * 3
        await worker.store.aclose()
    assert await driver.leased() == []


async def test_the_jobs_of_several_queues_and_functions_come_each_with_its_own(
    driver: Driver, redis: Redis
) -> None:
    jobs = [new_job(queue="x"), new_job(queue="y"), new_job(queue="x", function_name="other")]
    await driver.store.jobs.enqueue(jobs)
    claims = await driver.claim(queues=("x", "y"))
    assert [(claim.job_id, claim.queue) for claim in claims] == [
        (jobs[0].job_id, "x"),
        (jobs[2].job_id, "x"),
        (jobs[1].job_id, "y"),
    ]
    assert [claim.token for claim in claims] == [claims[0].token + step for step in range(3)]
    for claim in claims:
        assert (await driver.hash(claim.job_id))["lease_token"] == str(claim.token)
    results = [Raw(b"1"), Raw(b"2"), Raw(b"3")]
    batch = [
        verdict(claim, "complete", result) for claim, result in zip(claims, results, strict=True)
    ]
    assert await driver.store.leases.settle(batch) == ["complete"] * 3
    found = [(await driver.hash(claim.job_id))["result"] for claim in claims]
    assert found == ["1", "2", "3"]
    assert (await driver.store.statistics.totals("function", ["other"]))["other"]["completed"] == 1
