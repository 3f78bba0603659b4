"""Which leases Redis says a worker holds: for one that missed the answer to its claim."""

from __future__ import annotations

from tests.store.driving import OTHER_WORKER, WORKER, Driver, new_job


async def test_a_worker_finds_its_leases_and_no_others(driver: Driver) -> None:
    mine = await driver.running("a", queue="urgent", queue_name="rrq:queue:urgent")
    await driver.enqueue("b")
    await driver.claim(OTHER_WORKER)
    [lease] = await driver.store.leases.owned(WORKER)
    assert (lease.job_id, lease.token, lease.queue) == ("a", mine.token, "urgent")


async def test_a_lease_that_ended_is_not_found(driver: Driver) -> None:
    await driver.settle(await driver.running("a"), "complete")
    await driver.running("b")
    await driver.expire_lease("b")
    await driver.store.leases.reap()
    assert await driver.store.leases.owned(WORKER) == []


async def test_the_lease_of_a_hash_that_is_gone_or_broken_is_nobodys(driver: Driver) -> None:
    for job_id in ("deleted", "broken", "kept"):
        await driver.running(job_id)
    await driver.redis.delete(driver.keys.job("deleted"))
    await driver.redis.set(driver.keys.job("broken"), "no hash")
    assert [lease.job_id for lease in await driver.store.leases.owned(WORKER)] == ["kept"]


async def test_every_one_of_many_leases_is_found(driver: Driver) -> None:
    jobs = [new_job() for _ in range(1300)]
    await driver.store.jobs.enqueue(jobs)
    for room in (600, 700):
        await driver.claim(room=room)
    owned = await driver.store.leases.owned(WORKER)
    assert {lease.job_id for lease in owned} == {job.job_id for job in jobs}
    assert len(owned) == len(jobs)


async def test_an_unreceived_lease_can_be_given_back_without_penalty(driver: Driver) -> None:
    claim = await driver.running("a")
    [lease] = await driver.store.leases.owned(WORKER)
    assert lease.token == claim.token
    assert await driver.settle(claim, "release", token=lease.token) == "release"
    job = await driver.hash("a")
    assert (job["status"], job["current_retries"]) == ("PENDING", "0")
    assert "lost_count" not in job
