"""`Holdings`: the claims that this worker answers for, from their lease to their settled verdict.

Whatever stage a claim is in, it is here, so that its lease can be renewed; what the tracing
backends are told of it ends here, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rrq.orchestrator.decision import bounded
from rrq.orchestrator.lane import Lane
from rrq.protocol import Progress
from rrq.store.claim import Claim
from rrq.store.verdict import Verdict

if TYPE_CHECKING:
    from rrq.orchestrator.job_telemetry import JobTelemetry, Run
    from rrq.store.verdict import SettleAnswer

MAX_PROGRESS_CHARACTERS = 500

StopReason = Literal["timeout", "cancel", "lease lost"]


@dataclass(slots=True)
class Held:
    """A claim that this worker answers for.

    Attributes:
        task: what waits for its outcome, if its transport wants that.
        abandon: else what tells its transport that it is no longer wanted.
        deadline: when its time is over, on the monotonic clock; None until it runs.
        is_over: whether its run at the executor has ended.
        stop_reason: why it was stopped there, if it was.
        run: what the tracing backends will hear of it, if there are any.
    """

    claim: Claim
    lane: Lane | None = None
    handler: str = ""
    is_over: bool = False
    task: asyncio.Task[None] | None = None
    abandon: Callable[[], None] | None = None
    started_at: float = 0.0
    deadline: float | None = None
    stop_reason: StopReason | None = None
    run: Run | None = None

    @property
    def has_started(self) -> bool:
        """Whether it was given to its executor."""
        return self.started_at > 0


class Holdings:
    """All of them.

    Attributes:
        by_id: each by its job's id.
        running: those that are at executors.
    """

    def __init__(self, telemetry: JobTelemetry | None = None) -> None:
        self.by_id: dict[str, Held] = {}
        self.running: dict[str, Held] = {}
        self._progress: dict[str, Progress] = {}
        self._telemetry = telemetry

    def settled(self, verdict: Verdict, answer: SettleAnswer | None) -> None:
        """A verdict was settled, or given up: its lease is no longer ours."""
        held = self.by_id.get(verdict.job_id)
        if held is not None and held.claim.token == verdict.token:
            self.forget(held, answer)

    def forget(self, held: Held, answer: SettleAnswer | None = None) -> None:
        """Its lease is no longer ours: with this answer, or without any."""
        self._tell(held, answer)
        job_id = held.claim.job_id
        if self.by_id.get(job_id) is held:
            del self.by_id[job_id]
            self._progress.pop(job_id, None)

    def report_progress(self, progress: Progress) -> None:
        """A handler says how far it is; the newest report of each job is kept."""
        if progress.job_id in self.running:
            if progress.message is not None:
                progress.message = bounded(progress.message, MAX_PROGRESS_CHARACTERS)
            self._progress[progress.job_id] = progress

    def take_progress(self) -> list[tuple[Held, Progress]]:
        """The reports that came since the last call."""
        reports, self._progress = self._progress, {}
        return [
            (held, progress)
            for job_id, progress in reports.items()
            if (held := self.by_id.get(job_id)) is not None
        ]

    def trace_ids(self, verdict: Verdict) -> Mapping[str, str]:
        """What the tracing backends call the attempt that a verdict is about, for the log."""
        held = self.by_id.get(verdict.job_id)
        if self._telemetry and held and held.run and held.claim.token == verdict.token:
            return self._telemetry.log_fields(held.run)
        return {}

    def give_up_telling(self) -> None:
        """No more answers will come: tell the tracing backends of the attempts that ended."""
        for held in self.by_id.values():
            self._tell(held, None)

    def _tell(self, held: Held, answer: SettleAnswer | None) -> None:
        if held.run and self._telemetry:
            self._telemetry.settled(held.run, answer)
            held.run = None
