"""`ActiveJobs`: running jobs from the lease set, some at a time."""

from __future__ import annotations

from datetime import timedelta

from redis.asyncio import Redis

from rrq.store.serving import ExecutorState, Serving, serving_from_health
from tests.store.driving import OTHER_WORKER, WORKER, Driver, new_job

FAR = 9_000_000_000_000


async def lease(
    driver: Driver, *job_ids: str, worker: str = WORKER, queue: str = "default"
) -> None:
    await driver.store.jobs.enqueue([new_job(job_id, queue=queue) for job_id in job_ids])
    await driver.store.leases.claim(worker, [queue], len(job_ids), park_ms=1000)


async def test_a_running_job_has_its_worker_start_attempt_and_deadline(
    driver: Driver, redis: Redis
) -> None:
    await lease(driver, "j1", queue="mail")
    await redis.hset("rrq:job:j1", mapping={"current_retries": 1, "progress": '{"current": 3}'})

    page = await driver.store.active.page(limit=10)

    [job] = page.jobs
    assert (job.job_id, job.function_name, job.queue) == ("j1", "greet", "mail")
    assert (job.worker_id, job.attempt, job.max_attempts) == (WORKER, 2, 3)
    assert job.started_at is not None
    assert job.deadline_at == job.started_at + timedelta(seconds=30)
    assert job.progress == {"current": 3}
    assert job.lease_until > page.now
    assert job.executor is None


async def test_the_longest_running_jobs_come_first(driver: Driver, redis: Redis) -> None:
    await lease(driver, "young", "old", "nameless")
    await redis.hset("rrq:job:old", "start_time", "2025-01-01T00:00:00Z")
    await redis.hset("rrq:job:nameless", "start_time", "once")

    page = await driver.store.active.page(limit=2)

    assert [job.job_id for job in page.jobs] == ["old", "young"]
    assert (page.fitting, page.seen, page.total) == (3, 3, 3)


async def test_jobs_are_chosen_by_queue_and_worker(driver: Driver) -> None:
    await lease(driver, "a", queue="mail")
    await lease(driver, "b", queue="mail", worker=OTHER_WORKER)
    await lease(driver, "c")

    async def ids(**choice: str) -> list[str]:
        page = await driver.store.active.page(limit=10, **choice)  # type: ignore[arg-type]
        return [job.job_id for job in page.jobs]

    assert await ids(queue="rrq:queue:mail") == ["a", "b"]
    assert await ids(worker_id=WORKER) == ["a", "c"]
    assert await ids(queue="mail", worker_id=OTHER_WORKER) == ["b"]
    assert await ids(queue="none") == []


async def test_no_more_leases_are_looked_at_than_allowed(driver: Driver, redis: Redis) -> None:
    # All of one claim run out in the same moment: more than are read at once.
    await redis.zadd("rrq:leases", {f"r{number:04}": FAR for number in range(1200)})
    await redis.zadd("rrq:leases", {f"s{number:04}": FAR + 1 + number for number in range(300)})

    some = await driver.store.active.page(limit=5, max_scan=700)
    everything = await driver.store.active.page(limit=2000, max_scan=0)

    assert (len(some.jobs), some.fitting, some.seen, some.total) == (5, 700, 700, 1500)
    assert len({job.job_id for job in everything.jobs}) == everything.seen == 1500


async def test_a_job_that_has_just_ended_is_left_out_and_a_lease_without_a_hash_is_not(
    driver: Driver, redis: Redis
) -> None:
    await redis.zadd("rrq:leases", {"ended": FAR, "bare": FAR, "text": FAR})
    await redis.hset("rrq:job:ended", mapping={"status": "COMPLETED", "function_name": "f"})
    await redis.set("rrq:job:text", "x")

    page = await driver.store.active.page(limit=10)

    assert [(job.job_id, job.function_name) for job in page.jobs] == [
        ("bare", None),
        ("text", None),
    ]


async def test_the_executor_is_told_by_the_function_or_by_the_routes_of_the_worker(
    driver: Driver,
) -> None:
    health = {
        "executors": {"python": {}, "node": {}},
        "routes": {"default": "python", "mail": "node"},
    }
    await driver.store.workers.heartbeat(WORKER, health, 60)
    await lease(driver, "a")
    await lease(driver, "b", queue="mail")
    await driver.store.jobs.enqueue([new_job("c", function_name="node#greet")])
    await driver.store.leases.claim(WORKER, ["default"], 1, park_ms=1000)

    page = await driver.store.active.page(limit=10)

    assert {job.job_id: job.executor for job in page.jobs} == {
        "a": "python",
        "b": "node",
        "c": "node",
    }


def test_a_health_of_anything_is_read_as_far_as_it_goes() -> None:
    assert serving_from_health("w", b"[1]") == Serving(worker_id="w")
    assert serving_from_health("w", None) == Serving(worker_id="w")
    odd = serving_from_health(
        "w",
        {
            "queues": "mail",
            "executors": {"a": 7, "b": {"capacity": True, "functions": ["f"]}},
            "routes": {"mail": 3},
            "pid": "x",
        },
    )
    assert odd.queues == ()
    assert odd.executors == {
        "a": ExecutorState(name="a"),
        "b": ExecutorState(name="b", functions=("f",)),
    }
    assert odd.routes == {}


def test_functions_that_are_too_many_to_tell_count_as_not_told() -> None:
    told = {"executors": {"a": {"functions": ["f"], "functions_in_all": 900}}}

    assert serving_from_health("w", told).executors["a"].functions is None
