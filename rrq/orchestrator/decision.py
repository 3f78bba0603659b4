"""What becomes of a job: pure functions from what happened to a `Verdict`, without Redis."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from rrq.exc import ExecutorLost
from rrq.protocol import HANDLER_NOT_FOUND, ExecutionOutcome
from rrq.retry import RetryPolicy
from rrq.store.claim import Claim
from rrq.store.verdict import MAX_ERROR_CHARACTERS, Verdict, VerdictKind

MAX_REMEMBERED_ERROR_CHARACTERS = 1024

MEAN_CHANCE_MS = 750.0
"""After how long a job comes back that must run alone, and could not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Turns the end of an attempt into a verdict.

    Attributes:
        retry_policy: when a failed job runs again.
        worker_id: for the job's history.
        draw: a fresh number in [0, 1) to scatter what would come together.
    """

    retry_policy: RetryPolicy
    worker_id: str
    draw: Callable[[], float] = random.random

    def outcome(self, claim: Claim, outcome: ExecutionOutcome, executor: str) -> Verdict:
        """The verdict on a job whose executor answered."""
        match outcome.status:
            case "success":
                attempt = b""
                if claim.attempt > 1:
                    attempt = self._attempt(claim, "success", None, executor)
                return self._verdict(claim, "complete", outcome.result, attempt=attempt)
            case "timeout":
                return self.timeout(claim, executor)
            case "retry":
                error = outcome.error_message or "Job requested retry"
                return self._again(claim, "retry", error, executor, outcome)
            case "error":
                if outcome.error_type == HANDLER_NOT_FOUND:
                    _, _, handler = claim.function_name.rpartition("#")
                    error = outcome.error_message or (
                        f"No handler registered for function '{handler}'"
                    )
                    return self.refused(claim, error, executor, outcome.error_type)
                error = outcome.error_message or "Job failed"
                return self._again(claim, "error", error, executor, outcome)

    def timeout(self, claim: Claim, executor: str) -> Verdict:
        """The verdict on a job that took longer than it may."""
        error = f"Job timed out after {claim.timeout_seconds:g}s."
        attempt = self._attempt(claim, "timeout", error, executor)
        return self._verdict(claim, "fail", error, attempt=attempt)

    def refused(
        self, claim: Claim, error: str, executor: str | None = None, error_type: str | None = None
    ) -> Verdict:
        """The verdict on a job that no further attempt can help."""
        attempt = self._attempt(claim, "error", error, executor, error_type)
        return self._verdict(claim, "fail", error, attempt=attempt)

    def lost(self, claim: Claim, loss: ExecutorLost, executor: str) -> Verdict:
        """The verdict on a job whose process went away before it answered."""
        if not loss.penalty:
            return self.released(claim, self._next_chance_ms() if claim.runs_alone else 0)
        attempt = self._attempt(claim, "lost", loss.cause, executor)
        return self._verdict(claim, "lost", loss.cause, attempt=attempt)

    def _next_chance_ms(self) -> float:
        # Another one runs alone, most likely. The rest of the queue is let past, and those that
        # wait for the same thing do not all come back at once.
        return MEAN_CHANCE_MS * (0.5 + self.draw())

    def cancelled(self, claim: Claim, executor: str) -> Verdict:
        """The verdict on a running job that was stopped on request."""
        attempt = self._attempt(claim, "cancelled", None, executor)
        return self._verdict(claim, "cancel", attempt=attempt)

    def released(self, claim: Claim, delay_ms: float = 0) -> Verdict:
        """Back to the place that the job had in its queue, or to one later than now."""
        due_ms = claim.claimed_ms + delay_ms if delay_ms else claim.due_ms
        return self._verdict(claim, "release", number=due_ms)

    def _again(
        self, claim: Claim, how: str, error: str, executor: str, outcome: ExecutionOutcome
    ) -> Verdict:
        delay_seconds = self.retry_policy.next_delay_seconds(
            claim.attempt,
            claim.max_retries,
            asked_seconds=outcome.retry_after_seconds if how == "retry" else None,
            random=self.draw() if self.retry_policy.jitter else 0.0,
        )
        attempt = self._attempt(claim, how, error, executor, outcome.error_type)
        if delay_seconds is None:
            return self._verdict(claim, "fail", error, attempt=attempt)
        return self._verdict(claim, "retry", error, number=delay_seconds * 1000, attempt=attempt)

    def _verdict(
        self,
        claim: Claim,
        kind: VerdictKind,
        text: str | msgspec.Raw = "",
        number: float = 0,
        attempt: bytes = b"",
    ) -> Verdict:
        if isinstance(text, str):
            text = bounded(text, MAX_ERROR_CHARACTERS)
        return Verdict(
            job_id=claim.job_id,
            token=claim.token,
            kind=kind,
            queue=claim.queue,
            text=text,
            number=number,
            attempt=attempt,
            function_name=claim.function_name if claim.is_plain else None,
        )

    def _attempt(
        self,
        claim: Claim,
        outcome: str,
        error: str | None,
        executor: str | None,
        error_type: str | None = None,
    ) -> bytes:
        entry: dict[str, str | int] = {
            "attempt": claim.attempt,
            "outcome": outcome,
            "worker": self.worker_id,
        }
        if executor:
            entry["executor"] = executor
        if error_type:
            entry["error_type"] = bounded(error_type, 200)
        if error:
            entry["error"] = bounded(error, MAX_REMEMBERED_ERROR_CHARACTERS)
        return msgspec.json.encode(entry)


def bounded(text: str, characters: int) -> str:
    """The text, cut with an ellipsis where it is too long, and fit for UTF-8."""
    if len(text) > characters:
        text = text[: characters - 1] + "…"
    return text if text.isascii() else text.encode(errors="replace").decode()
