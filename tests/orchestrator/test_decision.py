import json
from dataclasses import replace

import pytest
from msgspec import Raw

from rrq.exc import ExecutorLost
from rrq.orchestrator.decision import Decider
from rrq.protocol import ExecutionOutcome
from rrq.retry import RetryPolicy
from rrq.store.verdict import MAX_ERROR_CHARACTERS, Verdict

from .claims import a_claim

decider = Decider(
    retry_policy=RetryPolicy(base_delay_seconds=5, max_delay_seconds=60), worker_id="w1"
)


def verdict_on(outcome: ExecutionOutcome, **claim: object) -> Verdict:
    return decider.outcome(a_claim(**claim), outcome, "python")


def error(**fields: object) -> ExecutionOutcome:
    return ExecutionOutcome(job_id="job-1", status="error", **fields)  # type: ignore[arg-type]


def retry(**fields: object) -> ExecutionOutcome:
    return ExecutionOutcome(job_id="job-1", status="retry", **fields)  # type: ignore[arg-type]


def test_a_success_completes_the_job_with_its_result_as_the_text_that_it_came_in() -> None:
    outcome = ExecutionOutcome(job_id="job-1", status="success", result=Raw(b'{"n": 1.0}'))
    verdict = verdict_on(outcome)
    assert (verdict.kind, bytes(verdict.text), verdict.token) == ("complete", b'{"n": 1.0}', 7)  # type: ignore[arg-type]


def test_only_a_success_after_failures_adds_to_the_history() -> None:
    outcome = ExecutionOutcome(job_id="job-1", status="success")
    assert verdict_on(outcome).attempt == b""
    assert json.loads(verdict_on(outcome, attempt=2).attempt)["outcome"] == "success"


@pytest.mark.parametrize(
    ("attempt", "delay_ms"), [(1, 5_000), (2, 10_000), (4, 40_000), (5, 60_000)]
)
def test_a_failure_runs_again_after_a_doubling_capped_backoff(attempt: int, delay_ms: int) -> None:
    verdict = verdict_on(error(error_message="boom"), attempt=attempt, max_retries=9)
    assert (verdict.kind, verdict.text, verdict.number) == ("retry", "boom", delay_ms)


def test_the_last_attempt_that_fails_goes_to_the_dead_letter_queue() -> None:
    verdict = verdict_on(error(error_message="boom"), attempt=3, max_retries=3)
    assert (verdict.kind, verdict.text) == ("fail", "boom")


def test_a_delay_that_the_handler_named_is_kept() -> None:
    assert verdict_on(retry(retry_after_seconds=0.5)).number == 500
    assert verdict_on(retry(retry_after_seconds=0)).number == 0


def test_a_retry_without_a_delay_takes_the_backoff() -> None:
    assert verdict_on(retry()).number == 5_000


def test_texts_stand_in_where_an_executor_gives_none() -> None:
    assert verdict_on(retry()).text == "Job requested retry"
    assert verdict_on(error()).text == "Job failed"
    not_found = verdict_on(error(error_type="handler_not_found"), function_name="rust#resize")
    assert not_found.text == "No handler registered for function 'resize'"


def test_a_missing_handler_is_fatal_at_the_first_attempt() -> None:
    assert verdict_on(error(error_type="handler_not_found"), max_retries=3).kind == "fail"


def test_a_timeout_is_fatal_and_says_the_limit() -> None:
    outcome = ExecutionOutcome(job_id="job-1", status="timeout", error_message="whatever")
    verdict = verdict_on(outcome)
    assert (verdict.kind, verdict.text) == ("fail", "Job timed out after 1s.")


def test_a_lost_process_is_counted_unless_it_was_ended_because_of_a_neighbour() -> None:
    claim = a_claim()
    assert decider.lost(claim, ExecutorLost("exit 1"), "python").kind == "lost"
    released = decider.lost(claim, ExecutorLost("neighbour", penalty=False), "python")
    assert (released.kind, released.number) == ("release", claim.due_ms)


@pytest.mark.parametrize(("draw", "delay_ms"), [(0.0, 375), (0.5, 750), (1.0, 1125)])
def test_a_job_that_must_run_alone_and_cannot_lets_others_past(
    draw: float, delay_ms: float
) -> None:
    claim, loss = a_claim(runs_alone=True), ExecutorLost("another runs alone", penalty=False)
    refused = replace(decider, draw=lambda: draw).lost(claim, loss, "python")
    assert (refused.kind, refused.number) == ("release", claim.claimed_ms + delay_ms)


def test_a_released_job_gets_its_old_place_or_one_after_now() -> None:
    claim = a_claim(due_ms=1_000.0, claimed_ms=5_000.0)
    assert decider.released(claim).number == 1_000
    assert decider.released(claim, 100).number == 5_100


def test_the_history_says_who_ran_it_and_what_happened() -> None:
    verdict = verdict_on(error(error_message="boom", error_type="ValueError"), attempt=2)
    assert json.loads(verdict.attempt) == {
        "attempt": 2,
        "outcome": "error",
        "worker": "w1",
        "executor": "python",
        "error_type": "ValueError",
        "error": "boom",
    }


def test_an_endless_error_text_is_cut_and_broken_text_is_mended() -> None:
    verdict = verdict_on(error(error_message="x" * 100_000))
    assert len(verdict.text) == MAX_ERROR_CHARACTERS  # type: ignore[arg-type]
    assert verdict_on(error(error_message="a\ud800b")).text == "a?b"


def test_jitter_takes_a_part_of_the_backoff_away() -> None:
    jittery = Decider(
        retry_policy=RetryPolicy(base_delay_seconds=10, jitter=0.5),
        worker_id="w",
        draw=lambda: 0.5,
    )
    assert jittery.outcome(a_claim(), error(), "python").number == 7_500
