"""Progress of running jobs: kept while the lease stands, gone when the run is over."""

from __future__ import annotations

import pytest

from tests.store.driving import OTHER_WORKER, Driver


async def test_what_a_running_job_reports_is_kept(driver: Driver) -> None:
    claims = [await driver.running(job_id) for job_id in ("a", "b")]
    await driver.store.leases.report_progress(
        (claim.job_id, claim.token, b'{"current":%d}' % claim.token) for claim in claims
    )
    for claim in claims:
        job = await driver.hash(claim.job_id)
        assert job["progress"] == f'{{"current":{claim.token}}}'


async def test_no_report_asks_redis_nothing(driver: Driver) -> None:
    await driver.store.leases.report_progress([])
    assert await driver.all_keys() == set()


async def test_the_report_of_a_lost_lease_is_dropped(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    await driver.store.leases.report_progress([("a", claim.token, b"{}")])
    assert "progress" not in await driver.hash("a")
    await driver.claim(OTHER_WORKER)
    await driver.store.leases.report_progress([("a", claim.token, b"{}")])
    assert "progress" not in await driver.hash("a")


async def test_a_report_on_a_job_that_is_gone_or_broken_does_not_stop_the_others(
    driver: Driver,
) -> None:
    claims = [await driver.running(job_id) for job_id in ("deleted", "broken", "kept")]
    await driver.redis.delete(driver.keys.job("deleted"))
    await driver.redis.set(driver.keys.job("broken"), "no hash")
    await driver.store.leases.report_progress(
        (claim.job_id, claim.token, b"{}") for claim in claims
    )
    assert (await driver.hash("kept"))["progress"] == "{}"
    assert await driver.redis.exists(driver.keys.job("deleted")) == 0


@pytest.mark.parametrize("kind", ["complete", "retry", "fail", "cancel", "release", "lost"])
async def test_progress_is_gone_when_the_run_is_over(driver: Driver, kind: str) -> None:
    claim = await driver.running("a")
    await driver.store.leases.report_progress([("a", claim.token, b"{}")])
    await driver.settle(claim, kind, "1")  # type: ignore[arg-type]
    assert "progress" not in await driver.hash("a")
