"""Unique keys: what each policy makes of a key that is held, and who runs when it is free."""

from __future__ import annotations

import pytest

from rrq.exc import DuplicateJob
from tests.store.driving import OTHER_WORKER, Driver, new_job


async def test_a_job_holds_its_key_while_it_waits_and_while_it_runs(driver: Driver) -> None:
    first = await driver.enqueue(unique_key="k")
    assert (await driver.enqueue(unique_key="k")).is_duplicate
    [claim] = await driver.claim()
    second = await driver.enqueue(unique_key="k")
    assert (second.is_duplicate, second.job_id) == (True, first.job_id)
    await driver.settle(claim, "complete")
    third = await driver.enqueue(unique_key="k")
    assert not third.is_duplicate
    assert await driver.holder("k") == third.job_id


async def test_a_skipped_job_leaves_nothing_behind(driver: Driver) -> None:
    await driver.enqueue(unique_key="k")
    before = await driver.all_keys()
    await driver.enqueue("mine", unique_key="k", queue="other")
    assert await driver.all_keys() == before


async def test_a_skipped_call_leaves_the_earlier_job_of_its_id_alone(driver: Driver) -> None:
    await driver.enqueue("a", delay_ms=5000)
    before = await driver.hash("a")
    await driver.enqueue(unique_key="k")
    assert (await driver.enqueue("a", unique_key="k")).is_duplicate
    assert await driver.hash("a") == before
    assert "a" in await driver.waiting()


@pytest.mark.parametrize("first_policy", ["skip", "raise", "defer", "replace"])
async def test_raise_names_the_holder_even_within_one_call(
    driver: Driver, first_policy: str
) -> None:
    jobs = [
        new_job("a", unique_key="k", on_conflict=first_policy),  # type: ignore[arg-type]
        new_job("b", unique_key="k", on_conflict="raise"),
    ]
    with pytest.raises(DuplicateJob) as refusal:
        await driver.store.jobs.enqueue(jobs)
    assert refusal.value.holder_id == "a"
    assert await driver.all_keys() == set()


async def test_the_key_covers_the_wait_for_a_deferred_start(driver: Driver) -> None:
    await driver.enqueue(unique_key="k", unique_ttl_ms=10_000, delay_ms=50_000)
    assert 59 <= await driver.store.get_lock_ttl("k") <= 60


async def test_a_key_whose_time_is_over_is_free(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k")
    await driver.redis.delete(driver.keys.unique("k"))
    assert not (await driver.enqueue("b", unique_key="k")).is_duplicate
    assert await driver.waiting() == ["a", "b"]


async def test_two_waiting_jobs_of_one_key_still_run_one_after_the_other(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k")
    await driver.redis.delete(driver.keys.unique("k"))
    await driver.enqueue("b", unique_key="k")
    [claim] = await driver.claim()
    assert (claim.job_id, await driver.waiting()) == ("b", ["a"])
    assert await driver.claim(OTHER_WORKER) == []
    await driver.settle(claim, "complete")
    assert [claim.job_id for claim in await driver.claim()] == ["a"]


# -- defer --------------------------------------------------------------------------------


async def test_defer_queues_the_job_for_when_the_keys_time_is_over(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k", unique_ttl_ms=60_000)
    answer = await driver.enqueue("b", unique_key="k", on_conflict="defer")
    assert answer.due_at is not None
    assert 59 <= (answer.due_at - answer.enqueued_at).total_seconds() <= 60.1
    assert [claim.job_id for claim in await driver.claim()] == ["a"]
    assert await driver.waiting() == ["b"]


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
async def test_a_deferred_job_runs_as_soon_as_the_holder_ends(driver: Driver, end: str) -> None:
    claim = await driver.running("a", unique_key="k")
    for job_id in ("b", "c"):
        await driver.enqueue(job_id, unique_key="k", on_conflict="defer")
    await driver.settle(claim, end)  # type: ignore[arg-type]
    [claim] = await driver.claim()
    assert claim.job_id == "b"
    assert claim.due_ms == pytest.approx(await driver.now_ms(), abs=2000)
    await driver.settle(claim, "complete")
    assert [claim.job_id for claim in await driver.claim()] == ["c"]


async def test_a_deferred_job_runs_as_soon_as_the_waiting_holder_is_cancelled(
    driver: Driver,
) -> None:
    await driver.enqueue("a", unique_key="k", delay_ms=60_000)
    await driver.enqueue("b", unique_key="k", on_conflict="defer")
    await driver.store.jobs.cancel("a")
    assert [claim.job_id for claim in await driver.claim()] == ["b"]


async def test_a_deferred_job_runs_as_soon_as_the_holder_gets_another_key(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k", delay_ms=60_000)
    await driver.enqueue("b", unique_key="k", on_conflict="defer")
    await driver.enqueue("a", unique_key="other", delay_ms=60_000)
    assert [claim.job_id for claim in await driver.claim()] == ["b"]


async def test_the_key_passes_to_the_job_that_was_held_back(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.enqueue("b", unique_key="k", on_conflict="defer")
    await driver.settle(claim, "complete")
    assert await driver.holder("k") == "b"
    assert (await driver.enqueue("c", unique_key="k")).is_duplicate
    assert await driver.store.get_lock_ttl("k") > 20_000


async def test_a_deferred_job_never_runs_before_its_own_time(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k", unique_ttl_ms=1000)
    answer = await driver.enqueue("b", unique_key="k", on_conflict="defer", delay_ms=60_000)
    await driver.settle(claim, "complete")
    assert await driver.claim() == []
    job = await driver.store.jobs.get("b")
    assert job is not None
    assert job.next_scheduled_run_time == answer.due_at


async def test_a_deferred_job_that_was_cancelled_lets_the_next_one_run(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.enqueue("b", unique_key="k", on_conflict="defer")
    await driver.enqueue("c", unique_key="k", on_conflict="defer")
    await driver.store.jobs.cancel("b")
    assert await driver.holder("k") == "a"
    await driver.settle(claim, "complete")
    assert [claim.job_id for claim in await driver.claim()] == ["c"]


async def test_a_repeated_defer_is_one_job(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k")
    for job in (
        new_job("b", unique_key="k", on_conflict="defer"),
        new_job(unique_key="k", on_conflict="defer"),
    ):
        [first] = await driver.store.jobs.enqueue([job])
        [again] = await driver.store.jobs.enqueue([job])
        assert (again.job_id, again.due_at) == (first.job_id, first.due_at)
    assert len(await driver.waiting()) == 3


# -- replace ------------------------------------------------------------------------------


async def test_replace_gives_the_waiting_job_the_new_arguments_and_due_time(
    driver: Driver,
) -> None:
    await driver.enqueue("a", unique_key="k", job_args="[1]", delay_ms=60_000)
    answer = await driver.enqueue(
        unique_key="k", job_args="[2]", on_conflict="replace", queue="other"
    )
    assert (answer.job_id, answer.is_duplicate) == ("a", False)
    assert (await driver.hash("a"))["job_args"] == "[2]"
    assert await driver.waiting() == []
    assert [claim.job_id for claim in await driver.claim(queues=["other"])] == ["a"]


async def test_replace_never_touches_a_running_job(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k", job_args="[1]")
    before = await driver.hash("a")
    answer = await driver.enqueue("b", unique_key="k", job_args="[2]", on_conflict="replace")
    assert answer.job_id == "b"
    assert await driver.hash("a") == before
    assert await driver.claim(OTHER_WORKER) == []
    await driver.settle(claim, "complete")
    assert [claim.job_id for claim in await driver.claim()] == ["b"]


async def test_replacing_again_and_again_behind_a_running_job_leaves_one_job(
    driver: Driver,
) -> None:
    claim = await driver.running("a", unique_key="k")
    for number in range(3):
        await driver.enqueue(unique_key="k", job_args=f"[{number}]", on_conflict="replace")
    assert len(await driver.waiting()) == 1
    await driver.settle(claim, "complete")
    [claim] = await driver.claim()
    assert bytes(claim.args) == b"[2]"
    await driver.settle(claim, "complete")
    assert await driver.waiting() == []


async def test_a_debounced_job_waits_for_its_delay_from_the_last_call(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k", on_conflict="replace", delay_ms=100)
    await driver.enqueue(unique_key="k", on_conflict="replace", delay_ms=60_000)
    assert await driver.claim() == []
    due_ms = await driver.due_ms("a")
    assert due_ms == pytest.approx(await driver.now_ms() + 60_000, abs=2000)


async def test_a_repeated_replace_changes_nothing(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k", delay_ms=60_000)
    for job in (
        new_job(unique_key="k", on_conflict="replace", delay_ms=50_000),
        new_job("mine", unique_key="k", on_conflict="replace", delay_ms=50_000),
    ):
        await driver.store.jobs.enqueue([job])
        before = await driver.hash("a")
        [again] = await driver.store.jobs.enqueue([job])
        assert again.job_id == "a"
        assert await driver.hash("a") == before
    await driver.make_due("a")
    await driver.claim()
    [again] = await driver.store.jobs.enqueue([job])
    assert (again.job_id, await driver.waiting()) == ("a", [])


async def test_a_repeated_replace_is_recognised_behind_a_holder_that_waits_again(
    driver: Driver,
) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.enqueue("b", unique_key="k", on_conflict="defer")
    job = new_job(unique_key="k", on_conflict="replace")
    [first] = await driver.store.jobs.enqueue([job])
    await driver.settle(claim, "retry", "boom")
    before = await driver.hash("a")
    [again] = await driver.store.jobs.enqueue([job])
    assert (first.job_id, again.job_id) == ("b", "b")
    assert await driver.hash("a") == before


async def test_a_client_that_waits_for_a_replaced_job_hears_of_its_end(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k", delay_ms=60_000)
    await driver.store.jobs.await_end("a", "client")
    await driver.enqueue(unique_key="k", on_conflict="replace")
    [claim] = await driver.claim()
    await driver.settle(claim, "complete")
    assert await driver.mail("client") == ["done a"]


# -- the id and the key ---------------------------------------------------------------------


async def test_rescheduling_by_id_keeps_the_jobs_own_key(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k", delay_ms=60_000)
    answer = await driver.enqueue("a", unique_key="k")
    assert not answer.is_duplicate
    assert await driver.holder("k") == "a"
    assert await driver.waiting() == ["a"]


async def test_rescheduling_by_id_without_a_key_frees_the_old_one(driver: Driver) -> None:
    await driver.enqueue("a", unique_key="k")
    await driver.enqueue("a")
    assert await driver.holder("k") is None
    assert "job_unique_key" not in await driver.hash("a")


async def test_a_job_frees_no_key_that_another_took_over(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.redis.set(driver.keys.unique("k"), "b")
    await driver.settle(claim, "complete")
    assert await driver.holder("k") == "b"


async def test_a_foreign_job_with_a_key_that_is_held_waits_for_the_holders_end(
    driver: Driver,
) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.redis.hset(
        driver.keys.job("b"),
        mapping={"function_name": "f", "status": "PENDING", "job_unique_key": "k"},
    )
    await driver.redis.zadd(driver.keys.queue("default"), {"b": 1})
    assert await driver.claim() == []
    job = await driver.store.jobs.get("b")
    assert job is not None
    assert job.next_scheduled_run_time is not None
    assert job.next_scheduled_run_time.timestamp() * 1000 == pytest.approx(
        await driver.due_ms("b"), abs=1
    )
    await driver.settle(claim, "complete")
    assert [claim.job_id for claim in await driver.claim()] == ["b"]
    assert await driver.holder("k") == "b"


async def test_jobs_held_back_behind_a_key_run_in_the_order_in_which_they_were_due(
    driver: Driver,
) -> None:
    claim = await driver.running("a", unique_key="k")
    for number, job_id in enumerate(("z", "m", "b")):
        await driver.redis.hset(
            driver.keys.job(job_id), mapping={"function_name": "f", "job_unique_key": "k"}
        )
        await driver.redis.zadd(driver.keys.queue("default"), {job_id: number + 1})
    assert await driver.claim() == []
    # Held back once more, the other way round: the first wait counts.
    await driver.make_due("b")
    assert await driver.claim() == []
    order = []
    for _ in range(3):
        await driver.settle(claim, "complete")
        [claim] = await driver.claim()
        order.append(claim.job_id)
    assert order == ["z", "m", "b"]


async def test_a_key_passes_to_no_job_that_was_held_back_once_and_has_another_definition_now(
    driver: Driver,
) -> None:
    first = await driver.enqueue(unique_key="k")
    await driver.enqueue("a", unique_key="k", on_conflict="defer")
    # It gives its definition to the waiting holder, and is gone; then it comes again without a key.
    await driver.enqueue("a", unique_key="k", on_conflict="replace")
    [claim] = await driver.claim()
    assert claim.job_id == first.job_id
    await driver.enqueue("a")

    await driver.settle(claim, "complete")

    assert await driver.holder("k") is None
    assert not await driver.redis.exists(driver.keys.held("k"))
