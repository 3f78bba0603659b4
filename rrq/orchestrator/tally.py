"""`Tally`: what a worker has done, counted and logged as it is settled."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rrq.store.error_types import error_type_of
from rrq.store.verdict import SettleAnswer, Verdict
from rrq.wording import told_error

SUMMARY_SECONDS = 60.0

logger = logging.getLogger("rrq.worker")

_COUNTED: dict[SettleAnswer, str] = {
    "complete": "completed",
    "retry": "retried",
    "fail": "failed",
    "dead": "failed",
    "cancel": "cancelled",
    "lost": "lost",
    "stale": "refused",
}


class Tally:
    """Counts of settled jobs by what became of them.

    Args:
        log_successes: log a success at INFO; else, as it costs more than the job, at DEBUG.

    Attributes:
        counts: since the worker started; the keys are `completed`, `retried`, `failed`,
            `cancelled`, `lost` and `refused` (the lease was another's by then).
    """

    def __init__(self, *, log_successes: bool = False) -> None:
        self._success_level = logging.INFO if log_successes else logging.DEBUG
        self.counts: Counter[str] = Counter()

    def settled(
        self,
        verdict: Verdict,
        answer: SettleAnswer | None,
        trace_ids: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Count one settled job and log what is worth a line.

        Args:
            trace_ids: what is known of the job's span, asked for a line.
        """
        if answer is None:
            return
        if counted := _COUNTED.get(answer):
            self.counts[counted] += 1
        if answer == "complete" and not logger.isEnabledFor(self._success_level):
            return
        if answer not in ("release", "repeated"):
            fields = {"job_id": verdict.job_id, "queue": verdict.queue, **trace_ids()}
            self._log(verdict, answer, {"fields": fields})

    def _log(self, verdict: Verdict, answer: SettleAnswer, extra: dict[str, Any]) -> None:
        if answer == "complete":
            logger.log(self._success_level, "Job %s completed", verdict.job_id, extra=extra)
        elif answer == "retry":
            logger.info(
                "Job %s failed and runs again in %.3g s: %s",
                verdict.job_id,
                verdict.number / 1000,
                _one_line(verdict),
                extra=extra,
            )
        elif answer == "fail":
            logger.warning(
                "Job %s failed for good and is in the dead letter queue: %s",
                verdict.job_id,
                _one_line(verdict),
                extra=extra,
            )
        elif answer == "dead":
            logger.warning(
                "Job %s was lost too often and is in the dead letter queue: %s",
                verdict.job_id,
                _one_line(verdict),
                extra=extra,
            )
        elif answer == "lost":
            logger.warning(
                "Job %s was lost and runs again: %s",
                verdict.job_id,
                _one_line(verdict),
                extra=extra,
            )
        elif answer == "cancel":
            logger.info("Job %s was cancelled", verdict.job_id, extra=extra)
        elif answer == "stale":
            logger.warning(
                "The outcome of job %s was refused: its lease is another worker's",
                verdict.job_id,
                extra=extra,
            )

    async def summarize(self) -> None:
        """Log a line a minute about what was done in it, until cancelled."""
        before = Counter(self.counts)
        while True:
            await asyncio.sleep(SUMMARY_SECONDS)
            done = self.counts - before
            before = Counter(self.counts)
            if done:
                parts = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
                logger.info("In the last minute: %s", parts)


def _one_line(verdict: Verdict) -> str:
    error = str(verdict.text)
    told = told_error(error, error_type_of(b"[%b]" % verdict.attempt, error)) or ""
    return told.splitlines()[0][:300] if told else ""
