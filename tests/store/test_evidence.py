"""The step `explain` and what is read from it: consistent, bounded, and without a write."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from rrq.embedded import EmbeddedRedis
from rrq.explain import judge
from rrq.settings import RRQSettings
from rrq.store import evidence as reading
from rrq.store.scripts import Steps
from rrq.store.store import JobStore
from tests.security.acl import dsn_of, guarded, refusals
from tests.store.driving import WORKER, Driver, new_job

MORE_THAN_AN_OBSERVER = ("+evalsha_ro", "+eval_ro", "+zscore")


async def codes(driver: Driver, job_id: str) -> list[str]:
    evidence = await driver.store.evidence.of(job_id)
    assert evidence is not None
    return [reason.code for reason in judge(evidence)]


async def test_nothing_is_known_of_an_id_that_is_nowhere(driver: Driver) -> None:
    assert await driver.store.evidence.of("nobody") is None


async def test_the_evidence_of_a_waiting_job_is_read_at_one_instant(driver: Driver) -> None:
    jobs = [new_job(f"j{number}", queue="mail") for number in range(3)]
    await driver.store.jobs.enqueue(jobs)
    await driver.store.jobs.enqueue([new_job("later", queue="mail", delay_ms=60_000)])

    evidence = await driver.store.evidence.of("j2")

    assert evidence is not None
    assert evidence.job.queue == "mail"
    assert evidence.job.max_attempts == 3
    assert [place.queue for place in evidence.places] == ["mail"]
    queue = evidence.queue
    assert (queue.name, queue.waiting, queue.due, queue.ahead) == ("mail", 4, 3, 2)
    assert timedelta(0) <= evidence.now - evidence.places[0].due_at < timedelta(seconds=5)


async def test_a_leased_job_is_found_with_its_lease(driver: Driver) -> None:
    await driver.store.jobs.enqueue([new_job("j1")])
    await driver.store.leases.claim(WORKER, ["default"], 1, park_ms=1000)

    evidence = await driver.store.evidence.of("j1")

    assert evidence is not None
    assert evidence.lease_until is not None
    assert evidence.lease_until > evidence.now
    assert evidence.places == ()
    assert [(one.job_id, one.worker_id, one.queue) for one in evidence.running] == [
        ("j1", WORKER, "default")
    ]
    assert not evidence.running[0].runs_alone
    # Nobody has a heartbeat here.
    assert await codes(driver, "j1") == ["worker_gone"]


async def test_a_job_that_was_lost_as_often_as_it_may_is_found_to_run_alone(driver: Driver) -> None:
    await driver.running("j1", lost_count=driver.settings.max_lost)

    evidence = await driver.store.evidence.of("j1")

    assert evidence is not None
    assert evidence.job.runs_alone
    assert evidence.running[0].runs_alone


async def test_the_holder_of_a_unique_key_is_found_with_its_state(driver: Driver) -> None:
    await driver.store.jobs.enqueue([new_job("first", unique_key="k")])
    await driver.store.jobs.enqueue([new_job("second", unique_key="k", on_conflict="defer")])

    held = await driver.store.evidence.of("second")
    holds = await driver.store.evidence.of("first")

    assert held is not None
    assert held.holder is not None
    assert (held.holder.job_id, held.holder.status, held.holder.runs) == ("first", "PENDING", False)
    assert held.holder.due_at is not None
    assert held.holder.key_seconds == pytest.approx(60, abs=5)
    assert holds is not None
    assert holds.holder is None


async def test_an_id_without_a_hash_is_found_in_whatever_queue_it_waits(
    driver: Driver, redis: Redis
) -> None:
    await driver.store.jobs.enqueue([new_job("known", queue="mail")])
    await redis.zadd("rrq:queue:mail", {"bare": 1})

    evidence = await driver.store.evidence.of("bare")

    assert evidence is not None
    assert (evidence.kind, [place.queue for place in evidence.places]) == ("none", ["mail"])
    assert (await codes(driver, "bare"))[0] == "no_hash"


async def test_a_worker_that_found_an_id_without_a_hash_is_told_with_the_time(
    driver: Driver, redis: Redis
) -> None:
    await redis.zadd("rrq:queue:default", {"bare": 1})
    await driver.store.leases.claim(WORKER, ["default"], 1, park_ms=1000)

    evidence = await driver.store.evidence.of("bare")

    assert evidence is not None
    assert evidence.unborn_since is not None


async def test_keys_of_other_types_hide_nothing(driver: Driver, redis: Redis) -> None:
    await driver.store.jobs.enqueue([new_job("j1", unique_key="k")])
    for key in ("rrq:leases", "rrq:paused", "rrq:workers", "rrq:idle:default", "rrq:dlq:default"):
        await redis.set(key, "x")
    await redis.delete("rrq:lock:unique:k")
    await redis.sadd("rrq:lock:unique:k", "x")
    await redis.set("rrq:job:text", "x")
    await redis.zadd("rrq:queue:default", {"text": 1})

    assert await codes(driver, "j1") == ["no_worker"]
    assert await codes(driver, "text") == ["malformed", "no_worker"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("function_name", ""), ("enqueue_time", "soon"), ("status", "LOST"), ("max_retries", "many")],
)
async def test_a_field_that_cannot_be_read_is_named(
    driver: Driver, redis: Redis, field: str, value: str
) -> None:
    await driver.store.jobs.enqueue([new_job("j1")])
    await redis.hset("rrq:job:j1", field, value)

    evidence = await driver.store.evidence.of("j1")

    assert evidence is not None
    assert evidence.job.unreadable == (field,)


async def test_a_health_that_cannot_be_read_is_that_of_a_worker_that_serves_nothing(
    driver: Driver, redis: Redis
) -> None:
    await driver.store.jobs.enqueue([new_job("j1")])
    await redis.set(f"rrq:health:worker:{WORKER}", b"\xff{")
    await redis.zadd("rrq:workers", {WORKER: 9_000_000_000_000})

    assert await codes(driver, "j1") == ["queue_unserved"]


async def test_only_so_many_workers_and_running_jobs_are_looked_at(
    driver: Driver, redis: Redis
) -> None:
    await driver.store.jobs.enqueue([new_job("j1")])
    far = 9_000_000_000_000
    await redis.zadd("rrq:workers", {f"w{n}": far for n in range(reading.MAX_WORKERS + 50)})
    await redis.zadd("rrq:leases", {f"r{n}": far + n for n in range(reading.MAX_RUNNING + 50)})

    evidence = await driver.store.evidence.of("j1")

    assert evidence is not None
    assert (len(evidence.workers), evidence.workers_alive) == (200, 250)
    assert (len(evidence.running), evidence.running_in_all) == (500, 550)
    assert not evidence.sees_all_workers
    assert not evidence.sees_all_running


async def test_a_megabyte_of_health_is_enough(driver: Driver, redis: Redis) -> None:
    await driver.store.jobs.enqueue([new_job("j1")])
    for number in range(4):
        await redis.set(f"rrq:health:worker:w{number}", b"x" * 400_000)
        await redis.zadd("rrq:workers", {f"w{number}": 9_000_000_000_000})

    evidence = await driver.store.evidence.of("j1")

    assert evidence is not None
    assert (len(evidence.workers), evidence.workers_alive) == (2, 4)


async def test_an_observer_needs_three_commands_more_and_cannot_write_with_them(
    redis_server: EmbeddedRedis, driver: Driver
) -> None:
    await driver.store.jobs.enqueue([new_job("j1", unique_key="k")])
    await driver.store.jobs.enqueue([new_job("j2", unique_key="k", on_conflict="defer")])
    async with guarded(redis_server, "rrq-observer") as administrator:
        observer = JobStore(RRQSettings(redis_dsn=dsn_of(redis_server, "rrq-observer")))
        with pytest.raises(NoPermissionError):
            await observer.evidence.of("j1")
        await refusals(administrator)
        await administrator.execute_command(
            "ACL", "SETUSER", "rrq-observer", *MORE_THAN_AN_OBSERVER
        )
        for job_id in ("j1", "j2", "nobody"):
            await observer.evidence.of(job_id)
        await observer.aclose()

        assert await refusals(administrator) == []


async def test_the_server_refuses_a_step_that_is_only_to_read_and_writes(driver: Driver) -> None:
    await driver.store.jobs.enqueue([new_job("j1")])

    with pytest.raises(ResponseError, match="not allowed from read-only scripts"):
        await Steps(driver.store.redis, "rrq").read("await", "j1", "somebody", 1)


async def test_a_server_that_knows_no_read_only_scripts_is_asked_all_the_same() -> None:
    options = ["--rename-command", "EVALSHA_RO", "", "--rename-command", "EVAL_RO", ""]
    with EmbeddedRedis(options=options) as old:
        store = JobStore(RRQSettings(redis_dsn=old.dsn))
        await store.jobs.enqueue([new_job("j1")])
        evidence = await store.evidence.of("j1")
        await store.aclose()

    assert evidence is not None
    assert evidence.job.function_name == "greet"
