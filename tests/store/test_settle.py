"""What each verdict makes of a leased job, and that only its owner's verdict counts."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise

import pytest
from msgspec import Raw

from rrq.settings import RRQSettings
from rrq.store.leases import DLQ_TTL_SECONDS
from tests.store.driving import OTHER_WORKER, Driver, verdict

KINDS = ["complete", "retry", "fail", "cancel", "release", "lost"]
ATTEMPT = b'{"attempt":1,"outcome":"error","error":"boom"}'


async def _last_attempt(driver: Driver, job_id: str) -> dict[str, object]:
    attempts = json.loads((await driver.hash(job_id))["attempts"])
    last: dict[str, object] = attempts[-1]
    return last


# -- each kind --------------------------------------------------------------------------------


async def test_a_completed_job_keeps_its_result_for_its_result_ttl(driver: Driver) -> None:
    claim = await driver.running("a", result_ttl_seconds=50)
    assert await driver.settle(claim, "complete", Raw(b'{"x": 1}')) == "complete"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.result, job.last_error) == ("COMPLETED", {"x": 1}, None)
    assert job.completion_time is not None
    assert job.start_time is not None
    assert job.completion_time >= job.start_time
    assert 48 <= await driver.ttl_seconds("a") <= 50
    assert (await driver.waiting(), await driver.leased(), await driver.dead()) == ([], [], [])


@pytest.mark.parametrize("end", ["complete", "cancel"])
@pytest.mark.parametrize(("own", "kept"), [("0", -1), ("-1", -1), ("", 86_400), ("7", 7)])
async def test_a_result_ttl_of_zero_keeps_the_job_and_no_ttl_takes_the_default(
    driver: Driver, end: str, own: str, kept: int
) -> None:
    claim = await driver.running("a", result_ttl_seconds=own)
    await driver.settle(claim, end)  # type: ignore[arg-type]
    assert await driver.ttl_seconds("a") == pytest.approx(kept, abs=2)


async def test_a_failed_attempt_is_queued_again_after_its_delay(driver: Driver) -> None:
    claim = await driver.running("a", queue="urgent")
    assert await driver.settle(claim, "retry", "boom", 30_000) == "retry"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.last_error, job.current_retries) == ("RETRYING", "boom", 1)
    due_ms = await driver.due_ms("a", "urgent")
    assert due_ms == pytest.approx(await driver.now_ms() + 30_000, abs=2000)
    assert job.next_scheduled_run_time is not None
    assert job.next_scheduled_run_time.timestamp() * 1000 == pytest.approx(due_ms, abs=0.01)
    assert (await driver.leased(), await driver.ttl_seconds("a")) == ([], -1)
    await driver.make_due("a", "urgent")
    [claim] = await driver.claim(queues=["urgent"])
    assert claim.attempt == 2


@pytest.mark.parametrize("delay_ms", [float("inf"), 1e300, float("nan")])
async def test_a_delay_beyond_all_reason_does_not_lose_the_job(
    driver: Driver, delay_ms: float
) -> None:
    claim = await driver.running("a")
    assert await driver.settle(claim, "retry", "boom", delay_ms) == "retry"
    assert await driver.waiting() == ["a"]
    assert await driver.store.jobs.get("a") is not None


async def test_a_job_that_failed_for_good_is_in_the_dead_letter_queue_for_seven_days(
    driver: Driver,
) -> None:
    claim = await driver.running("a")
    assert await driver.settle(claim, "fail", "boom") == "fail"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.last_error, job.current_retries) == ("FAILED", "boom", 1)
    assert job.completion_time is not None
    assert await driver.dead() == ["a"]
    assert DLQ_TTL_SECONDS - 2 <= await driver.ttl_seconds("a") <= DLQ_TTL_SECONDS == 604_800
    assert (await driver.waiting(), await driver.leased()) == ([], [])


@pytest.mark.parametrize("named", ["odd", "rrq:dlq:odd"])
async def test_the_newest_dead_letter_comes_first_in_the_jobs_own_queue(
    driver: Driver, named: str
) -> None:
    for job_id in ("a", "b"):
        await driver.settle(await driver.running(job_id, dlq_name=named), "fail", "boom")
    assert await driver.dead("odd") == ["b", "a"]
    assert await driver.dead() == []


async def test_a_job_that_was_stopped_on_request_is_cancelled(driver: Driver) -> None:
    claim = await driver.running("a")
    assert await driver.settle(claim, "cancel") == "cancel"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.current_retries) == ("CANCELLED", 0)
    assert job.completion_time is not None
    assert 90 < await driver.ttl_seconds("a") <= 100


async def test_a_released_job_is_back_in_its_place_without_penalty(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.enqueue("b")
    assert await driver.settle(claim, "release", number=claim.due_ms) == "release"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.current_retries, job.lost_count) == ("PENDING", 0, 0)
    assert await driver.waiting() == ["a", "b"]
    assert await driver.due_ms("a") == claim.due_ms


async def test_a_job_released_without_a_time_is_due_now_by_the_clock_of_redis(
    driver: Driver,
) -> None:
    await driver.settle(await driver.running("a"), "release")
    assert await driver.due_ms("a") == pytest.approx(await driver.now_ms(), abs=2000)


async def test_a_loss_is_counted_and_is_no_failure_of_the_job(driver: Driver) -> None:
    claim = await driver.running("a")
    assert await driver.settle(claim, "lost", "exit status 9") == "lost"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.current_retries, job.lost_count) == ("PENDING", 0, 1)
    assert [claim.attempt for claim in await driver.claim()] == [1]


@pytest.mark.parametrize(("max_lost", "times"), [(0, "once"), (2, "3 times")])
async def test_a_job_that_was_lost_too_often_is_dead_with_an_error_that_says_so(
    settings: RRQSettings, max_lost: int, times: str
) -> None:
    driver = Driver(settings.model_copy(update={"max_lost": max_lost}))
    await driver.enqueue("a")
    for _ in range(max_lost):
        [claim] = await driver.claim()
        assert await driver.settle(claim, "lost", "exit status 9") == "lost"
        await driver.make_due("a")
    [claim] = await driver.claim()
    assert await driver.settle(claim, "lost", "exit status 9") == "dead"
    job = await driver.store.jobs.get("a")
    assert job is not None
    assert (job.status, job.lost_count) == ("FAILED", max_lost + 1)
    assert job.last_error == f"Job was lost {times} while it ran, last: exit status 9"
    assert (await driver.dead(), await driver.waiting()) == (["a"], [])
    await driver.store.aclose()


async def test_the_first_loss_sends_a_job_back_at_once(driver: Driver) -> None:
    claims = [await driver.running(str(number)) for number in range(20)]
    for claim in claims:
        await driver.settle(claim, "lost", "exit status 9")
    assert len(await driver.claim(room=20)) == 20


@pytest.mark.parametrize(
    ("losses", "window_ms"), [(2, 1000), (3, 2000), (4, 4000), (5, 8000), (6, 10_000), (50, 10_000)]
)
async def test_jobs_that_were_lost_together_again_come_back_one_by_one_within_a_window_that_doubles(
    settings: RRQSettings, losses: int, window_ms: float
) -> None:
    driver = Driver(settings.model_copy(update={"max_lost": 100}))
    claims = [await driver.running(f"job-{number}", lost_count=losses - 1) for number in range(100)]
    before_ms = await driver.now_ms()
    await driver.store.leases.settle([verdict(claim, "lost", "exit") for claim in claims])
    after_ms = await driver.now_ms()

    dues_ms = []
    for claim in claims:
        job = await driver.store.jobs.get(claim.job_id)
        assert job is not None
        assert job.next_scheduled_run_time is not None
        assert (job.status, job.lost_count) == ("PENDING", losses)
        due_ms = job.next_scheduled_run_time.timestamp() * 1000
        assert await driver.due_ms(claim.job_id) == pytest.approx(due_ms, abs=0.01)
        dues_ms.append(due_ms)
    dues_ms.sort()
    assert before_ms <= dues_ms[0] < after_ms + window_ms / 5
    assert before_ms + window_ms * 4 / 5 < dues_ms[-1] <= after_ms + window_ms
    assert max(later - sooner for sooner, later in pairwise(dues_ms)) < window_ms / 8
    await driver.store.aclose()


# -- whose verdict counts ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stale_token_changes_nothing(driver: Driver, kind: str) -> None:
    old = await driver.running("a")
    await driver.expire_lease("a")
    await driver.store.leases.reap()
    [new] = await driver.claim(OTHER_WORKER)
    before = await driver.hash("a")
    assert await driver.settle(old, kind, "x") == "stale"  # type: ignore[arg-type]
    assert await driver.settle(new, kind, "x", token=new.token + 7) == "stale"  # type: ignore[arg-type]
    assert await driver.hash("a") == before
    assert (await driver.leased(), await driver.waiting()) == (["a"], [])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_repeated_verdict_answers_so_and_changes_nothing(driver: Driver, kind: str) -> None:
    claim = await driver.running("a", unique_key="k")
    sent = verdict(claim, kind, "1", 0, ATTEMPT)  # type: ignore[arg-type]
    assert await driver.store.leases.settle([sent]) == [kind]
    before = (await driver.hash("a"), await driver.dead(), await driver.due_ms("a"))
    assert await driver.store.leases.settle([sent]) == ["repeated"]
    assert (await driver.hash("a"), await driver.dead(), await driver.due_ms("a")) == before


async def test_a_verdict_on_a_job_that_is_gone_is_stale_and_makes_no_hash(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.redis.delete(driver.keys.job("a"))
    assert await driver.settle(claim, "complete") == "stale"
    assert await driver.ttl_seconds("a") == -2


async def test_a_batch_is_settled_verdict_by_verdict_in_order(driver: Driver) -> None:
    claims = [await driver.running(str(number)) for number in range(6)]
    await driver.redis.delete(driver.keys.job("2"))
    await driver.redis.set(driver.keys.job("3"), "no hash")
    batch = [verdict(claim, kind, "1") for claim, kind in zip(claims, KINDS, strict=True)]  # type: ignore[arg-type]
    answers = await driver.store.leases.settle([*batch, batch[0]])
    assert answers == ["complete", "retry", "stale", "stale", "release", "lost", "repeated"]


# -- what goes with the end -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "free"),
    [
        ("complete", True),
        ("fail", True),
        ("cancel", True),
        ("retry", False),
        ("release", False),
        ("lost", False),
    ],
)
async def test_the_unique_key_is_free_when_the_job_has_ended_and_not_before(
    driver: Driver, kind: str, free: bool
) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.settle(claim, kind, "x")  # type: ignore[arg-type]
    assert await driver.holder("k") == (None if free else "a")


async def test_the_history_tells_of_each_attempt_with_its_times(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.settle(claim, "retry", "boom", attempt=ATTEMPT)
    entry = await _last_attempt(driver, "a")
    assert (entry["outcome"], entry["error"], entry["attempt"]) == ("error", "boom", 1)
    assert entry["started_at"] == claim.started
    assert datetime.fromisoformat(str(entry["ended_at"])) >= datetime.fromisoformat(claim.started)


async def test_the_history_keeps_the_last_twenty_attempts(driver: Driver) -> None:
    await driver.enqueue("a")
    for number in range(23):
        [claim] = await driver.claim()
        await driver.settle(claim, "retry", "boom", attempt=b'{"attempt":%d}' % number)
    attempts = json.loads((await driver.hash("a"))["attempts"])
    assert [entry["attempt"] for entry in attempts] == list(range(3, 23))


async def test_a_success_after_failures_keeps_the_history_and_clears_the_error(
    driver: Driver,
) -> None:
    claim = await driver.running("a")
    await driver.settle(claim, "retry", "boom", attempt=ATTEMPT)
    [claim] = await driver.claim()
    await driver.settle(claim, "complete", Raw(b"1"), attempt=b'{"outcome":"success"}')
    job = await driver.hash("a")
    assert "last_error" not in job
    assert job["current_retries"] == "1"
    outcomes = [entry["outcome"] for entry in json.loads(job["attempts"])]
    assert outcomes == ["error", "success"]


async def test_a_success_at_the_first_attempt_writes_no_history(driver: Driver) -> None:
    claim = await driver.running("a")
    await driver.settle(claim, "complete", Raw(b"1"), attempt=b'{"outcome":"success"}')
    assert "attempts" not in await driver.hash("a")


@pytest.mark.parametrize("kind", ["retry", "release", "lost"])
async def test_a_job_that_somebody_asked_to_cancel_does_not_run_again(
    driver: Driver, kind: str
) -> None:
    claim = await driver.running("a", unique_key="k")
    assert await driver.store.jobs.cancel("a") == "requested"
    assert await driver.settle(claim, kind, "x") == "cancel"  # type: ignore[arg-type]
    job = await driver.hash("a")
    assert (job["status"], await driver.waiting()) == ("CANCELLED", [])
    assert "cancel_requested" not in job
    assert await driver.holder("k") is None
    assert await driver.settle(claim, kind, "x") == "repeated"  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "status"), [("complete", "COMPLETED"), ("fail", "FAILED")])
async def test_an_end_that_was_reached_before_the_cancellation_wins(
    driver: Driver, kind: str, status: str
) -> None:
    claim = await driver.running("a")
    await driver.store.jobs.cancel("a")
    assert await driver.settle(claim, kind, "1") == kind  # type: ignore[arg-type]
    job = await driver.hash("a")
    assert job["status"] == status
    assert "cancel_requested" not in job


async def test_no_trace_of_an_ended_job_stays_but_its_hash(driver: Driver) -> None:
    claim = await driver.running("a", unique_key="k")
    await driver.store.jobs.await_end("a", "client")
    await driver.settle(claim, "complete")
    await driver.mail("client")
    lasting = {key for key in await driver.all_keys() if await driver.redis.ttl(key) == -1}
    assert lasting == {"rrq:queues", "rrq:lease:token"}
    # Besides, what the steps keep for people: it expires by itself.
    others = await driver.all_keys() - lasting - {"rrq:job:a"}
    assert all(key.startswith(("rrq:stats:", "rrq:history")) for key in others)
