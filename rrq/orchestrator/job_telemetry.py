"""`JobTelemetry`: a job's attempt as the tracing backends see it. Used only if there are any.

Nothing here may raise, or wait: each is called by dispatch, between two steps of a job.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from rrq.orchestrator.worker_telemetry import WorkerTelemetry
from rrq.protocol import ExecutionOutcome
from rrq.store.claim import Claim
from rrq.store.verdict import SettleAnswer, Verdict, VerdictKind
from rrq.telemetry import Attempt, FinishedJob, Outcome, Scalar, StartedJob
from rrq.telemetry.fan_out import Member
from rrq.telemetry.headers import merged
from rrq.telemetry.relay import Relay

_OUTCOMES: Mapping[VerdictKind, Outcome] = {
    "complete": "success",
    "retry": "retry",
    "fail": "dlq",
    "cancel": "cancelled",
    "release": "released",
    "lost": "lost",
}

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_NO_ATTRIBUTES: Mapping[str, Scalar] = MappingProxyType({})

logger = logging.getLogger("rrq.telemetry")


class Run(Struct, kw_only=True, gc=False):
    """One attempt from its begin until it is settled.

    Attributes:
        trace_context: what the executor is told.
        carried, attributes: by backend.
        finished: once it has ended.
    """

    started: StartedJob
    trace_context: Raw
    carried: dict[Member, Mapping[str, str]] = field(default_factory=dict)
    attributes: dict[Member, Mapping[str, Scalar]] = field(default_factory=dict)
    finished: FinishedJob | None = None


class JobTelemetry:
    """Notes each attempt for the backends; they hear of it when it is settled."""

    def __init__(self, telemetry: WorkerTelemetry, worker_id: str) -> None:
        self._telemetry = telemetry
        self._worker_id = worker_id
        self._hear_of_attempts = [
            (member, _way_to(member, relay)) for member, relay in telemetry.relays
        ]
        self._carriers = [member for member, _ in telemetry.relays if member.carries]
        self._correlated = [
            member for member, _ in telemetry.relays if member.backend.correlation is not None
        ]

    def began(self, claim: Claim, executor: str) -> Run | None:
        """An attempt begins now at this executor; None if nothing can be said of it."""
        try:
            run = self._run(claim, executor)
            if self._carriers:
                self._carry(run)
            return run
        except Exception as error:
            logger.warning("Job %s is not traced: %r", claim.job_id, error)
            return None

    def ended(
        self,
        run: Run,
        verdict: Verdict | None,
        stop_reason: str | None = None,
        outcome: ExecutionOutcome | None = None,
        duration_seconds: float = 0.0,
    ) -> None:
        """The attempt ended with this verdict; None means that its lease was lost."""
        is_timeout = stop_reason == "timeout" or (
            outcome is not None and outcome.status == "timeout"
        )
        kind: Outcome = _OUTCOMES[verdict.kind] if verdict is not None else "lost"
        failed = verdict is not None and verdict.kind in ("retry", "fail", "lost")
        run.finished = FinishedJob(
            outcome="timeout" if is_timeout and kind == "dlq" else kind,
            ended_ns=run.started.started_ns + int(duration_seconds * 1e9),
            duration_ms=duration_seconds * 1000,
            is_dead_lettered=kind == "dlq",
            retry_delay_ms=verdict.number if verdict and verdict.kind == "retry" else None,
            reason=stop_reason or (outcome.status if outcome else None),
            error_message=str(verdict.text) if verdict is not None and failed else None,
            error_type=outcome.error_type if outcome else None,
        )

    def never_began(self, claim: Claim, verdict: Verdict) -> Run | None:
        """A job whose fate is this verdict without an executor having had it."""
        try:
            run = self._run(claim, "")
        except Exception as error:
            logger.warning("Job %s is not traced: %r", claim.job_id, error)
            return None
        self.ended(run, verdict)
        return run

    def log_fields(self, run: Run) -> Mapping[str, str]:
        """What the backends add to a line of the log about this attempt."""
        fields: dict[str, str] = {}
        for member, _ in self._telemetry.relays:
            carried = run.carried.get(member)
            if carried:
                fields |= (
                    member.quick(member.backend.log_fields, run.started, carried) or _NO_HEADERS
                )
        return fields

    def settled(self, run: Run, answer: SettleAnswer | None) -> None:
        """Redis answered, and the backends are told; None stands for no answer at all."""
        finished = run.finished
        if finished is None:
            return
        if answer == "stale":
            finished.outcome = "lost"
            finished.reason = "lease lost"
            finished.is_dead_lettered = False
        elif answer == "dead":
            finished.outcome = "dlq"
            finished.is_dead_lettered = True
        elif answer == "cancel":
            finished.outcome = "cancelled"
            finished.retry_delay_ms = None
        started, carried, attributes = run.started, run.carried, run.attributes
        for member, hear in self._hear_of_attempts:
            hear(
                member.backend.attempt,
                Attempt(
                    started=started,
                    finished=finished,
                    carried=carried.get(member, _NO_HEADERS),
                    attributes=attributes.get(member, _NO_ATTRIBUTES),
                ),
            )

    def _run(self, claim: Claim, executor: str) -> Run:
        run = Run(
            started=StartedJob(
                job_id=claim.job_id,
                function_name=claim.function_name,
                queue_name=claim.queue,
                worker_id=self._worker_id,
                executor_name=executor,
                attempt=claim.attempt,
                max_retries=claim.max_retries,
                timeout_seconds=claim.timeout_seconds,
                queue_delay_ms=max(0.0, claim.claimed_ms - claim.due_ms),
                enqueue_time=claim.enqueue_time,
                lease_token=claim.token,
                previous_lease_token=claim.previous_token,
                started_ns=time.time_ns(),
                trace_context=_headers.decode(claim.trace_context) or _NO_HEADERS,
            ),
            trace_context=claim.trace_context,
        )
        for member in self._correlated:
            run.attributes[member] = member.attributes(claim.args, claim.kwargs)
        return run

    def _carry(self, run: Run) -> None:
        started = run.started
        before = started.trace_context
        wanted: list[Mapping[str, str]] = []
        for member in self._carriers:
            headers = member.unless_passed_over(member.backend.carry, started)
            if headers:
                run.carried[member] = headers
                wanted.append({**before, **headers})
        if wanted:
            run.trace_context = Raw(_encoder.encode(merged(before, wanted)))


def _way_to(member: Member, relay: Relay) -> Callable[..., Any]:
    """What calls a backend's `attempt`."""
    return member.unless_passed_over if member.backend.records_at_once else relay.call


_encoder = msgspec.json.Encoder()
_headers: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)
