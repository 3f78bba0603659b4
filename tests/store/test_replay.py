"""Replaying a job: a new one with the same definition."""

from __future__ import annotations

import pytest

from rrq.exc import JobNotFound, MalformedJob
from tests.store.driving import Driver

DEFINITION = {
    "function_name": "greet",
    "job_args": '["Grüße", 1.10]',
    "job_kwargs": '{"a": 1, "a": 2}',
    "max_retries": "7",
    "job_timeout_seconds": "70",
    "result_ttl_seconds": "700",
    "dlq_name": "mine",
}


async def test_the_new_job_has_the_old_ones_function_arguments_and_options(driver: Driver) -> None:
    claim = await driver.running("old", queue="mail", **DEFINITION)
    await driver.settle(claim, "fail", "no luck")
    before = await driver.hash("old")

    new = await driver.store.jobs.replay("old")

    fields = await driver.hash(new.job_id)
    assert new.job_id != "old"
    assert {name: fields[name] for name in DEFINITION} == DEFINITION
    assert (fields["queue_name"], fields["status"], fields["current_retries"]) == (
        "mail",
        "PENDING",
        "0",
    )
    assert fields.keys().isdisjoint({"last_error", "start_time", "attempts", "lease_token"})
    assert await driver.waiting("mail") == [new.job_id]
    assert await driver.hash("old") == before
    assert await driver.dead("mine") == ["old"]


async def test_an_option_that_is_not_set_stays_so(driver: Driver) -> None:
    await driver.redis.hset(
        driver.keys.job("old"),
        mapping={"function_name": "f", "enqueue_time": "2026-01-01T00:00:00Z"},
    )
    new = await driver.store.jobs.replay("old")
    fields = await driver.hash(new.job_id)
    assert fields.keys().isdisjoint({"max_retries", "job_timeout_seconds", "job_args"})
    assert await driver.waiting() == [new.job_id]
    assert [claim.defect for claim in await driver.claim()] == [None]


@pytest.mark.parametrize("name", ["again", "rrq:queue:again"])
async def test_a_job_can_be_replayed_in_another_queue(driver: Driver, name: str) -> None:
    await driver.enqueue("old", delay_ms=60_000)
    new = await driver.store.jobs.replay("old", name)
    assert (new.queue, await driver.waiting("again")) == ("again", [new.job_id])
    assert [claim.job_id for claim in await driver.claim(queues=["again"])] == [new.job_id]


async def test_a_unique_key_that_is_free_is_the_new_jobs(driver: Driver) -> None:
    claim = await driver.running("old", unique_key="k")
    await driver.settle(claim, "complete")
    new = await driver.store.jobs.replay("old")
    assert (new.unique_key, new.holder_id) == ("k", None)
    assert await driver.holder("k") == new.job_id


async def test_a_unique_key_that_is_held_stays_with_its_holder(driver: Driver) -> None:
    await driver.enqueue("old", unique_key="k")
    new = await driver.store.jobs.replay("old")
    assert (new.unique_key, new.holder_id) == (None, "old")
    assert await driver.holder("k") == "old"
    assert "job_unique_key" not in await driver.hash(new.job_id)
    assert {claim.job_id for claim in await driver.claim()} == {"old", new.job_id}


async def test_what_is_no_job_is_not_replayed(driver: Driver) -> None:
    with pytest.raises(JobNotFound, match="There is no job old"):
        await driver.store.jobs.replay("old")
    await driver.enqueue("old", job_args="{")
    with pytest.raises(MalformedJob, match="`job_args`"):
        await driver.store.jobs.replay("old")
    assert await driver.waiting() == ["old"]
