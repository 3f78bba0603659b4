"""`JobTelemetry`: a job's attempt as the tracing backends see it. Used only if there are any."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rrq.protocol import ExecutionOutcome
from rrq.store.claim import Claim
from rrq.store.verdict import Verdict
from rrq.telemetry import FanOut, FinishedJob, JobSpan, Outcome, StartedJob

_trace_context = msgspec.json.Decoder(dict[str, str] | None)

_OUTCOMES: Mapping[str, Outcome] = {
    "complete": "success",
    "retry": "retry",
    "fail": "dlq",
    "cancel": "cancelled",
    "release": "released",
    "lost": "lost",
}


class JobTelemetry:
    """Opens and closes the span of each attempt."""

    def __init__(self, backends: FanOut, worker_id: str) -> None:
        self._backends = backends
        self._worker_id = worker_id

    def started(self, claim: Claim, executor: str) -> JobSpan:
        """The span of an attempt that begins now."""
        return self._backends.job(
            StartedJob(
                job_id=claim.job_id,
                function_name=claim.function_name,
                queue_name=claim.queue,
                worker_id=self._worker_id,
                executor_name=executor,
                attempt=claim.attempt,
                timeout_seconds=claim.timeout_seconds,
                queue_delay_ms=max(0.0, claim.claimed_ms - claim.due_ms),
                trace_context=_trace_context.decode(claim.trace_context) or {},
            )
        )

    def finished(
        self,
        span: JobSpan,
        verdict: Verdict | None,
        stop_reason: str | None,
        outcome: ExecutionOutcome | None,
        duration_seconds: float,
    ) -> None:
        """The attempt ended with this verdict; None means that its lease was lost."""
        is_timeout = stop_reason == "timeout" or (
            outcome is not None and outcome.status == "timeout"
        )
        kind: Outcome = _OUTCOMES[verdict.kind] if verdict is not None else "lost"
        failed = verdict is not None and verdict.kind in ("retry", "fail", "lost")
        span.finish(
            FinishedJob(
                outcome="timeout" if is_timeout else kind,
                duration_ms=duration_seconds * 1000,
                retry_delay_ms=verdict.number if verdict and verdict.kind == "retry" else None,
                reason=stop_reason or (outcome.status if outcome else None),
                error_message=str(verdict.text) if verdict is not None and failed else None,
                error_type=outcome.error_type if outcome else None,
            )
        )
