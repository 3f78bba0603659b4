"""`Dispatch`: hands claims to their executors, keeps their deadlines, and stops them.

Everything that this worker has leased and not settled yet is in `held`, whatever stage it is
in, so that its lease can be renewed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, Raw

from rrq.exc import ExecutorLost
from rrq.orchestrator.decision import Decider, bounded
from rrq.orchestrator.lane import TURNED_AWAY_MS, Lane, Waiting, monotonic
from rrq.orchestrator.routing import Router
from rrq.protocol import ExecutionContext, ExecutionOutcome, ExecutionRequest, Progress
from rrq.store.claim import Claim
from rrq.store.leases import ANY_ROOM, Claimed, Rooms
from rrq.store.verdict import Verdict

if TYPE_CHECKING:
    from rrq.orchestrator.job_telemetry import JobTelemetry, Run
    from rrq.store.verdict import SettleAnswer

DEADLINE_SLACK_SECONDS = 0.15
"""An executor that keeps the deadline itself is given this long to say so."""

SWEEP_SECONDS = 0.05

MAX_PROGRESS_CHARACTERS = 500

StopReason = Literal["timeout", "cancel", "lease lost"]

logger = logging.getLogger("rrq.worker")


@dataclass(slots=True)
class Held:
    """A claim that this worker answers for.

    Attributes:
        deadline: when its time is over, on the monotonic clock; None until it runs.
        stop_reason: why its task was cancelled, if it was.
        run: what the tracing backends will hear of it, if there are any.
    """

    claim: Claim
    lane: Lane | None = None
    handler: str = ""
    task: asyncio.Task[None] | None = None
    started_at: float = 0.0
    deadline: float | None = None
    stop_reason: StopReason | None = None
    run: Run | None = None


class Dispatch:
    """The stage between intake and settlement.

    Args:
        settle: takes every verdict.
        room_appeared: called when there may be room for more claims than before.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        lanes: dict[str, Lane],
        router: Router,
        decider: Decider,
        settle: Callable[[Verdict], None],
        room_appeared: Callable[[], None],
        telemetry: JobTelemetry | None = None,
    ) -> None:
        self.held: dict[str, Held] = {}
        self.progress: dict[str, Progress] = {}
        self._worker_id = worker_id
        self._lanes = lanes
        self._router = router
        self._decider = decider
        self._settle = settle
        self._room_appeared = room_appeared
        self._telemetry = telemetry
        self._running: dict[str, Held] = {}
        self._is_closed = False
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    # -- what intake asks ---------------------------------------------------------------

    def room(self) -> int:
        """How many jobs to claim now."""
        now = monotonic()
        return sum(lane.room(now) for lane in self._lanes.values())

    def rooms(self) -> Rooms:
        """How a claim is to be divided among the executors."""
        if len(self._lanes) == 1 or not self._router.is_known_to_redis:
            return ANY_ROOM
        now = monotonic()
        return Rooms(
            [lane.executor_room(now) for lane in self._lanes.values()],
            self._router.by_queue,
            [job for lane in self._lanes.values() for job in lane.recall()],
        )

    def look_now(self) -> None:
        """A job may have come for any lane."""
        for lane in self._lanes.values():
            lane.look_now()

    def claimed(self, claimed: Claimed, rooms: Rooms) -> None:
        """Take what a claim brought."""
        for job in claimed.turned_away:
            self._lanes[job.executor].turned_away(job)
        before = {name: lane.in_flight + len(lane.ready) for name, lane in self._lanes.items()}
        self.accept(claimed.claims)
        if claimed.next_due_ms is None or claimed.next_due_ms > claimed.now_ms:
            return
        now = monotonic()
        for one in rooms.executors:
            lane = self._lanes[one.name]
            if one.room and lane.in_flight + len(lane.ready) == before[one.name]:
                lane.found_nothing(now)

    @property
    def running_count(self) -> int:
        """How many jobs are at executors."""
        return len(self._running)

    def accept(self, claims: Iterable[Claim]) -> None:
        """Start these jobs, read them ahead, or turn them away; once closed, give them back."""
        now = monotonic()
        for claim in claims:
            self._accept(claim, now)

    def _accept(self, claim: Claim, now: float) -> None:
        held = Held(claim)
        self.held[claim.job_id] = held
        if self._is_closed:
            self._settle(self._decider.released(claim))
            return
        route = self._router.route(claim)
        refusal = route.refusal
        if claim.defect:
            refusal = f"The job in Redis is malformed: {claim.defect}"
        if refusal:
            self._end_unbegun(held, self._decider.refused(claim, refusal))
            return
        lane = self._lanes[route.executor]
        held.lane = lane
        held.handler = route.handler
        if lane.free > 0:
            self._start(held, now)
        elif lane.may_wait(now):
            lane.ready.append(Waiting(claim, now))
        else:
            self._settle(self._decider.released(claim, TURNED_AWAY_MS))

    # -- running ------------------------------------------------------------------------

    def _start(self, held: Held, now: float) -> None:
        claim = held.claim
        assert held.lane is not None
        held.lane.started()
        held.started_at = now
        held.deadline = now + claim.timeout_seconds + DEADLINE_SLACK_SECONDS
        self._running[claim.job_id] = held
        self._all_ended.clear()
        held.task = asyncio.create_task(self._run(held, held.lane))

    async def _run(self, held: Held, lane: Lane) -> None:
        claim = held.claim
        trace_context = claim.trace_context
        if self._telemetry and (run := self._telemetry.began(claim, lane.name)):
            held.run = run
            trace_context = run.trace_context
        outcome: ExecutionOutcome | None = None
        verdict: Verdict | None
        try:
            outcome = await lane.transport.execute(self._request(held, trace_context))
            verdict = self._decider.outcome(claim, outcome, lane.name)
        except asyncio.CancelledError:
            verdict = self._verdict_on_stopped(held, lane)
        except ExecutorLost as loss:
            verdict = self._decider.lost(claim, loss, lane.name)
        except Exception as error:
            logger.exception("The transport of executor %s failed", lane.name)
            broken = ExecutorLost(f"the transport failed: {error!r}")
            verdict = self._decider.lost(claim, broken, lane.name)
        if held.run and self._telemetry:
            duration_seconds = monotonic() - held.started_at
            self._telemetry.ended(held.run, verdict, held.stop_reason, outcome, duration_seconds)
        self._ended(held, lane, verdict)

    def _verdict_on_stopped(self, held: Held, lane: Lane) -> Verdict | None:
        match held.stop_reason:
            case "timeout":
                return self._decider.timeout(held.claim, lane.name)
            case "cancel":
                return self._decider.cancelled(held.claim, lane.name)
            case "lease lost":
                return None
            case None:
                return self._decider.released(held.claim)

    def _ended(self, held: Held, lane: Lane, verdict: Verdict | None) -> None:
        now = monotonic()
        job_id = held.claim.job_id
        run_seconds = now - held.started_at
        lane.ended(now, run_seconds)
        if self._running.get(job_id) is held:
            del self._running[job_id]
        # First of all: the executor is not to wait while the verdict is on its way.
        self._fill(lane, now)
        if verdict is not None:
            verdict.run_ms = run_seconds * 1000
            self._settle(verdict)
        else:
            self._tell(held, None)
            if self.held.get(job_id) is held:
                self._forget(job_id)
        if not self._running:
            self._all_ended.set()
        self._room_appeared()

    def _fill(self, lane: Lane, now: float) -> None:
        while lane.ready and lane.free > 0:
            waiting = lane.ready.popleft()
            held = self.held.get(waiting.claim.job_id)
            if held is not None and held.claim is waiting.claim:
                self._start(held, now)

    def _request(self, held: Held, trace_context: Raw) -> ExecutionRequest:
        claim = held.claim
        deadline = datetime.fromtimestamp(time.time() + claim.timeout_seconds, UTC)
        return ExecutionRequest(
            job_id=claim.job_id,
            function_name=held.handler,
            args=claim.args,
            kwargs=claim.kwargs,
            context=ExecutionContext(
                job_id=claim.job_id,
                attempt=claim.attempt,
                enqueue_time=claim.enqueue_time,
                queue_name=claim.queue_name,
                deadline=deadline.isoformat(),
                trace_context=trace_context,
                worker_id=self._worker_id,
                lease_token=claim.token,
                alone=claim.runs_alone or UNSET,
            ),
        )

    # -- what others tell ---------------------------------------------------------------

    def trace_ids(self, verdict: Verdict) -> Mapping[str, str]:
        """What the tracing backends call the attempt that a verdict is about, for the log."""
        held = self.held.get(verdict.job_id)
        if self._telemetry and held and held.run and held.claim.token == verdict.token:
            return self._telemetry.log_fields(held.run)
        return {}

    def settled(self, verdict: Verdict, answer: SettleAnswer | None) -> None:
        """A verdict was settled, or given up: its lease is no longer ours."""
        held = self.held.get(verdict.job_id)
        if held is not None and held.claim.token == verdict.token:
            self._tell(held, answer)
            self._forget(verdict.job_id)

    def lease_lost(self, job_id: str) -> bool:
        """Another worker may run this job by now: stop it, and settle nothing.

        False if its verdict is on its way, which may be why Redis no longer has the lease; the
        answer to the verdict tells.
        """
        held = self.held.get(job_id)
        if held is None:
            return False
        if self._running.get(job_id) is held:
            self._stop(held, "lease lost")
        elif held.lane is not None and self._take_from_ready(held.lane, held.claim):
            self._forget(job_id)
        else:
            return False
        logger.warning("The lease of job %s was lost; its run here is stopped", job_id)
        return True

    def cancel(self, job_id: str, token: int | None = None) -> None:
        """Somebody asked to cancel this job."""
        held = self.held.get(job_id)
        if held is None or (token is not None and held.claim.token != token):
            return
        if held.task is not None:
            self._stop(held, "cancel")
        elif held.lane is not None and self._take_from_ready(held.lane, held.claim):
            self._end_unbegun(held, self._decider.cancelled(held.claim, held.lane.name))

    def report_progress(self, progress: Progress) -> None:
        """A handler says how far it is; the newest report of each job is kept."""
        if progress.job_id in self._running:
            if progress.message is not None:
                progress.message = bounded(progress.message, MAX_PROGRESS_CHARACTERS)
            self.progress[progress.job_id] = progress

    def fill_all(self) -> None:
        """An executor's capacity changed."""
        now = monotonic()
        for lane in self._lanes.values():
            self._fill(lane, now)
        self._room_appeared()

    # -- deadlines, and the end ----------------------------------------------------------

    async def watch(self) -> None:
        """Stop what is over its time, and give back what was read ahead in vain."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = monotonic()
            for held in list(self._running.values()):
                if held.deadline is not None and now >= held.deadline:
                    self._time_is_over(held, now)
            for lane in self._lanes.values():
                for claim in lane.overdue(now):
                    self._settle(self._decider.released(claim))

    def close(self) -> None:
        """Start nothing more: give every job that was read ahead back to its queue."""
        self._is_closed = True
        for lane in self._lanes.values():
            while lane.ready:
                self._settle(self._decider.released(lane.ready.popleft().claim))

    def give_up_telling(self) -> None:
        """No more answers will come: tell the tracing backends of the attempts that ended."""
        for held in self.held.values():
            self._tell(held, None)

    async def all_ended(self) -> None:
        """Return when no job is at an executor."""
        await self._all_ended.wait()

    def _time_is_over(self, held: Held, now: float) -> None:
        assert held.lane is not None
        extra_seconds = held.lane.transport.extra_seconds(held.claim.job_id)
        if extra_seconds > 0:
            held.deadline = now + extra_seconds + DEADLINE_SLACK_SECONDS
            return
        held.deadline = None
        self._stop(held, "timeout")

    def _stop(self, held: Held, reason: StopReason) -> None:
        if held.stop_reason is None and held.task is not None:
            held.stop_reason = reason
            held.task.cancel()

    def _take_from_ready(self, lane: Lane, claim: Claim) -> bool:
        for waiting in lane.ready:
            if waiting.claim is claim:
                lane.ready.remove(waiting)
                return True
        return False

    def _end_unbegun(self, held: Held, verdict: Verdict) -> None:
        if self._telemetry:
            held.run = self._telemetry.never_began(held.claim, verdict)
        self._settle(verdict)

    def _tell(self, held: Held, answer: SettleAnswer | None) -> None:
        if held.run and self._telemetry:
            self._telemetry.settled(held.run, answer)
            held.run = None

    def _forget(self, job_id: str) -> None:
        self.held.pop(job_id, None)
        self.progress.pop(job_id, None)
