"""`Dispatch`: hands claims to their executors, and stops them there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET, Raw

from rrq.exc import ExecutorLost
from rrq.orchestrator.deadlines import SLACK_SECONDS
from rrq.orchestrator.decision import Decider
from rrq.orchestrator.holdings import Held, Holdings, StopReason
from rrq.orchestrator.lane import TURNED_AWAY_MS, Lane, Waiting, monotonic
from rrq.orchestrator.routing import Router
from rrq.protocol import ExecutionContext, ExecutionOutcome, ExecutionRequest
from rrq.store.claim import Claim
from rrq.store.leases import ANY_ROOM, Claimed, Rooms
from rrq.store.verdict import Verdict
from rrq.time_text import rfc3339

if TYPE_CHECKING:
    from rrq.orchestrator.job_telemetry import JobTelemetry

logger = logging.getLogger("rrq.worker")


class Dispatch:
    """The stage between intake and settlement.

    Attributes:
        held: what was claimed and not settled yet, by job id.

    Args:
        settle: takes every verdict.
        room_appeared: called when there may be room for more claims than before.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        holdings: Holdings,
        lanes: dict[str, Lane],
        router: Router,
        decider: Decider,
        settle: Callable[[Verdict], None],
        room_appeared: Callable[[], None],
        telemetry: JobTelemetry | None = None,
    ) -> None:
        self.held = holdings.by_id
        self._holdings = holdings
        self._running = holdings.running
        self._worker_id = worker_id
        self._lanes = lanes
        self._router = router
        self._decider = decider
        self._settle = settle
        self._room_appeared = room_appeared
        self._telemetry = telemetry
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
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
            self.give_back(claim)
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
        claim, lane = held.claim, held.lane
        assert lane is not None
        lane.started()
        held.started_at = now
        held.deadline = now + claim.timeout_seconds + SLACK_SECONDS
        self._running[claim.job_id] = held
        self._all_ended.clear()
        # Kept, as to find the loop means to ask the operating system for the process id.
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        trace_context = claim.trace_context
        if self._telemetry and (run := self._telemetry.began(claim, lane.name)):
            held.run = run
            trace_context = run.trace_context
        try:
            request = self._request(held, trace_context)
            held.abandon = lane.transport.submit(request, partial(self._answered, held, lane))
        except Exception as error:
            self._loop.call_soon(self._answered, held, lane, _failed(lane, error))
            return
        if held.abandon is None:
            held.task = self._loop.create_task(self._execute(held, lane, request))

    async def _execute(self, held: Held, lane: Lane, request: ExecutionRequest) -> None:
        answer: ExecutionOutcome | ExecutorLost
        try:
            answer = await lane.transport.execute(request)
        except asyncio.CancelledError:
            self._stopped(held, lane)
            return
        except ExecutorLost as loss:
            answer = loss
        except Exception as error:
            answer = _failed(lane, error)
        self._answered(held, lane, answer)

    def _answered(self, held: Held, lane: Lane, answer: ExecutionOutcome | ExecutorLost) -> None:
        """The transport told what became of a request."""
        if held.is_over:
            return
        claim, outcome = held.claim, None
        if isinstance(answer, ExecutorLost):
            verdict = self._decider.lost(claim, answer, lane.name)
        else:
            outcome = answer
            try:
                verdict = self._decider.outcome(claim, outcome, lane.name)
            except Exception as error:
                verdict = self._decider.lost(claim, _failed(lane, error), lane.name)
        self._ended(held, lane, verdict, outcome)

    def _stopped(self, held: Held, lane: Lane) -> None:
        """The transport ended a run without an answer, as it was told to."""
        if held.is_over:
            return
        self._ended(held, lane, self._verdict_on_stopped(held, lane))

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

    def _ended(
        self,
        held: Held,
        lane: Lane,
        verdict: Verdict | None,
        outcome: ExecutionOutcome | None = None,
    ) -> None:
        now = monotonic()
        job_id = held.claim.job_id
        run_seconds = now - held.started_at
        held.is_over = True
        held.abandon = None  # it knows the flight, which knows this: none of them would be freed
        if held.run and self._telemetry:
            self._telemetry.ended(held.run, verdict, held.stop_reason, outcome, run_seconds)
        lane.ended(now, run_seconds)
        if self._running.get(job_id) is held:
            del self._running[job_id]
        # First of all: the executor is not to wait while the verdict is on its way.
        self._fill(lane, now)
        if verdict is not None:
            verdict.run_ms = run_seconds * 1000
            self._settle(verdict)
        else:
            self._holdings.forget(held)
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
                deadline=rfc3339(time.time() + claim.timeout_seconds),
                trace_context=trace_context,
                worker_id=self._worker_id,
                lease_token=claim.token,
                alone=claim.runs_alone or UNSET,
            ),
        )

    # -- what others tell ---------------------------------------------------------------

    def lease_lost(self, job_id: str) -> bool:
        """Another worker may run this job by now: stop it, and settle nothing.

        False if its verdict is on its way, which may be why Redis no longer has the lease; the
        answer to the verdict tells.
        """
        held = self.held.get(job_id)
        if held is None:
            return False
        if self._running.get(job_id) is held:
            self.stop(held, "lease lost")
        elif held.lane is not None and held.lane.take_out(held.claim):
            self._holdings.forget(held)
        else:
            return False
        logger.warning("The lease of job %s was lost; its run here is stopped", job_id)
        return True

    def cancel(self, job_id: str, token: int | None = None) -> None:
        """Somebody asked to cancel this job."""
        held = self.held.get(job_id)
        if held is None or (token is not None and held.claim.token != token):
            return
        if held.has_started:
            self.stop(held, "cancel")
        elif held.lane is not None and held.lane.take_out(held.claim):
            self._end_unbegun(held, self._decider.cancelled(held.claim, held.lane.name))

    def fill_all(self) -> None:
        """An executor's capacity changed."""
        now = monotonic()
        for lane in self._lanes.values():
            self._fill(lane, now)
        self._room_appeared()

    # -- the end ------------------------------------------------------------------------

    def stop(self, held: Held, reason: StopReason) -> None:
        """End its run at the executor, if there is one; the first reason counts."""
        if held.stop_reason is not None or held.is_over:
            return
        if held.task is not None:
            held.stop_reason = reason
            held.task.cancel()
        elif held.abandon is not None:
            held.stop_reason = reason
            assert held.lane is not None
            asyncio.get_running_loop().call_soon(self._stopped, held, held.lane)
            try:
                held.abandon()
            except Exception as error:
                _failed(held.lane, error)

    def give_back(self, claim: Claim) -> None:
        """Back to its queue, as if it had not been claimed."""
        self._settle(self._decider.released(claim))

    def close(self) -> None:
        """Start nothing more: give every job that was read ahead back to its queue."""
        self._is_closed = True
        for lane in self._lanes.values():
            while lane.ready:
                self.give_back(lane.ready.popleft().claim)

    async def all_ended(self) -> None:
        """Return when no job is at an executor."""
        await self._all_ended.wait()

    def _end_unbegun(self, held: Held, verdict: Verdict) -> None:
        if self._telemetry:
            held.run = self._telemetry.never_began(held.claim, verdict)
        self._settle(verdict)


def _failed(lane: Lane, error: Exception) -> ExecutorLost:
    """A transport that raised what it must not."""
    logger.error("The transport of executor %s failed", lane.name, exc_info=error)
    return ExecutorLost(f"the transport failed: {error!r}")
