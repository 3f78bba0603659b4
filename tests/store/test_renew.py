"""Renewing leases: who still holds one, what is extended with it, what the owner is told."""

from __future__ import annotations

import pytest

from tests.store.driving import OTHER_WORKER, Driver


async def test_a_lease_is_extended_by_its_full_length(driver: Driver) -> None:
    claims = [await driver.running(str(number)) for number in range(3)]
    for claim in claims[:2]:
        await driver.expire_lease(claim.job_id)
    assert await driver.store.leases.renew([(c.job_id, c.token) for c in claims]) == []
    for claim in claims:
        expiry = await driver.redis.zscore(driver.keys.leases, claim.job_id)
        assert expiry == pytest.approx(await driver.now_ms() + 10_000, abs=2000)
    assert await driver.store.leases.reap() == []


async def test_renewing_nothing_asks_redis_nothing(driver: Driver) -> None:
    assert await driver.store.leases.renew([]) == []


async def test_a_lease_that_is_another_workers_is_lost_and_stays_the_others(
    driver: Driver,
) -> None:
    old = await driver.running("a")
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    [new] = await driver.claim(OTHER_WORKER)
    await driver.expire_lease("a")
    assert await driver.store.leases.renew([("a", old.token)]) == [("a", "lost")]
    expiry = await driver.redis.zscore(driver.keys.leases, "a")
    assert expiry is not None
    assert expiry < await driver.now_ms()
    assert await driver.store.leases.renew([("a", new.token)]) == []


async def test_the_lease_of_a_job_that_was_reaped_settled_or_deleted_is_lost(
    driver: Driver,
) -> None:
    reaped, settled, deleted, broken, kept = [
        await driver.running(name) for name in ("reaped", "settled", "deleted", "broken", "kept")
    ]
    await driver.expire_lease("reaped")
    await driver.store.leases.reap()
    await driver.settle(settled, "retry", "boom")
    await driver.redis.delete(driver.keys.job("deleted"))
    await driver.redis.set(driver.keys.job("broken"), "no hash")
    before = await driver.leased()
    held = [(claim.job_id, claim.token) for claim in (reaped, settled, deleted, broken, kept)]
    assert await driver.store.leases.renew(held) == [
        (name, "lost") for name in ("reaped", "settled", "deleted", "broken")
    ]
    assert await driver.leased() == before


async def test_the_owner_of_a_job_to_be_cancelled_is_told_at_every_renewal(
    driver: Driver,
) -> None:
    claim = await driver.running("a")
    await driver.store.jobs.cancel("a")
    for _ in range(2):
        assert await driver.store.leases.renew([("a", claim.token)]) == [("a", "cancel")]
    assert await driver.leased() == ["a"]


@pytest.mark.parametrize(("remaining_ms", "expected_seconds"), [(500, 10), (50_000, 50)])
async def test_the_jobs_unique_key_lasts_at_least_as_long_as_its_lease(
    driver: Driver, remaining_ms: int, expected_seconds: int
) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.redis.pexpire(driver.keys.unique("k"), remaining_ms)
    await driver.store.leases.renew([("a", claim.token)])
    assert await driver.store.get_lock_ttl("k") == pytest.approx(expected_seconds, abs=1)


async def test_a_renewal_takes_a_unique_key_back_that_had_run_out(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.redis.delete(driver.keys.unique("k"))
    assert await driver.store.leases.renew([("a", claim.token)]) == []
    assert await driver.holder("k") == "a"


async def test_a_worker_that_slept_past_its_lease_gives_way_to_the_new_holder_of_the_key(
    driver: Driver,
) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.expire_lease("a")
    await driver.redis.delete(driver.keys.unique("k"))
    await driver.enqueue("b", unique_key="k")
    [rival] = await driver.claim(OTHER_WORKER)
    assert await driver.store.leases.renew([("a", claim.token)]) == [("a", "lost")]
    [reaped] = await driver.store.leases.reap()
    assert (reaped.job_id, reaped.became) == ("a", "queued")
    assert await driver.claim() == []
    await driver.settle(rival, "complete")
    assert [claim.job_id for claim in await driver.claim()] == ["a"]


async def test_a_renewal_touches_no_key_of_another_job(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.redis.set(driver.keys.unique("k"), "b", px=500)
    assert await driver.store.leases.renew([("a", claim.token)]) == []
    assert (await driver.holder("k"), await driver.store.get_lock_ttl("k")) == ("b", 1)


async def test_an_expired_lease_that_nobody_reaped_is_still_its_owners(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.expire_lease("a")
    assert await driver.claim(OTHER_WORKER) == []
    assert await driver.settle(claim, "complete") == "complete"
    assert await driver.store.leases.reap() == []
