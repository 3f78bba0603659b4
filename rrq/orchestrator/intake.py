"""`Intake`: claims as much as there is room for, and sleeps until it is woken.

A claim that finds nothing due parks the worker in the same atomic step; whoever makes a job due
afterwards posts a wake-up to its mailbox. A job that was written without RRQ's enqueue step
wakes nobody: a look at the head of the queues finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from rrq.orchestrator.dispatch import Dispatch
from rrq.orchestrator.lane import TURNED_AWAY_MS
from rrq.orchestrator.redis_link import RedisLink
from rrq.store.connection import means_wait
from rrq.store.leases import Claimed
from rrq.store.store import JobStore
from rrq.store.verdict import Verdict

MAX_CLAIM_JOBS = 100
PARK_SECONDS = 10.0
"""How long Redis takes a parked worker for alive; it parks again after half of it."""

logger = logging.getLogger("rrq.worker")


class Intake:
    """The first stage.

    Args:
        queues: bare names, the most urgent first.
        settle: takes the verdicts on leases that were claimed but never received.
        is_behind: whether settlement has too much to do for more jobs to be claimed.
        burst: end as soon as nothing is due and nothing runs.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        queues: Sequence[str],
        store: JobStore,
        link: RedisLink,
        dispatch: Dispatch,
        settle: Callable[[Verdict], None],
        is_behind: Callable[[], bool],
        poll_seconds: float,
        burst: bool = False,
    ) -> None:
        self._worker_id = worker_id
        self._queues = list(queues)
        self._store = store
        self._link = link
        self._dispatch = dispatch
        self._settle = settle
        self._is_behind = is_behind
        self._poll_seconds = poll_seconds
        self._burst = burst
        self._woken = asyncio.Event()
        self._room_appeared = asyncio.Event()
        self._waits_for_room = False
        self._is_stopping = False
        self._answer_missed = False
        self.last_claimed_at = time.monotonic()
        self.last_error: str | None = None
        self._last_able_at = time.monotonic()
        self.is_idle = False

    @property
    def seconds_without_claim(self) -> float:
        """For how long it could not claim, though it should; a moment ago if it need not."""
        return time.monotonic() - self._last_able_at

    def wake(self) -> None:
        """A job may be due: look."""
        self._dispatch.look_now()
        self._woken.set()

    def room_appeared(self) -> None:
        """There may be room for more jobs. A worker that found nothing due sleeps on."""
        # After every job this is asked, and after few of them the answer is yes.
        if self._waits_for_room and self._room() > 0:
            self._room_appeared.set()
        if self._burst and not self._dispatch.held:
            self._woken.set()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when the answer under way has come."""
        self._is_stopping = True
        self._woken.set()
        self._room_appeared.set()

    async def run(self) -> None:
        """Claim until stopped; in a burst, until all that is due has been done."""
        failures = 0
        while not self._is_stopping:
            self._woken.clear()
            self._room_appeared.clear()
            room = self._room()
            if room == 0:
                if self._dispatch.running_count:
                    self._last_able_at = time.monotonic()
                self._waits_for_room = True
                # Room also grows with time: a lane's read-ahead window rolls on.
                await _set_within(self._room_appeared, 0.05)
                self._waits_for_room = False
                continue
            # What is held while Redis looks may go back to its queue right after.
            held_nothing = not (self._dispatch.held or self._answer_missed)
            try:
                claimed = await self._claim(room)
            except asyncio.CancelledError:
                self._answer_missed = True
                raise
            except (RedisError, OSError) as error:
                self._answer_missed = True
                if not means_wait(error) and str(error) != self.last_error:
                    logger.error("Jobs cannot be claimed: %s", error)
                self.last_error = str(error)
                failures += 1
                await self._link.pause(error, failures)
                continue
            failures = 0
            if claimed.claims:
                continue
            if (
                self._burst
                and held_nothing
                and not _some_are_due(claimed, within_ms=TURNED_AWAY_MS)
            ):
                return
            await self._sleep(claimed)

    def _room(self) -> int:
        return 0 if self._is_behind() else min(MAX_CLAIM_JOBS, self._dispatch.room())

    async def _claim(self, room: int) -> Claimed:
        await self.give_back_unreceived()
        rooms = self._dispatch.rooms()
        claimed = await self._store.leases.claim(
            self._worker_id, self._queues, room, park_ms=round(PARK_SECONDS * 1000), rooms=rooms
        )
        self._link.succeeded()
        self.last_claimed_at = self._last_able_at = time.monotonic()
        self.last_error = None
        self.is_idle = not claimed.claims
        for job_id in claimed.dropped:
            logger.warning("Dropped %r from its queue: it is no job", job_id)
        self._dispatch.claimed(claimed, rooms)
        return claimed

    async def give_back_unreceived(self) -> None:
        """After a claim whose answer never came, Redis may think that we have jobs: settle
        those without penalty."""
        if not self._answer_missed:
            return
        for lease in await self._store.leases.owned(self._worker_id):
            if lease.job_id in self._dispatch.held:
                continue
            logger.info("Giving job %s back: the answer that leased it was lost", lease.job_id)
            self._settle(
                Verdict(
                    job_id=lease.job_id,
                    token=lease.token,
                    kind="release",
                    queue=lease.queue,
                    number=0,
                )
            )
        self._answer_missed = False

    async def _sleep(self, claimed: Claimed) -> None:
        """Until woken, the next job is due, a foreign one appears, or it is time to park anew."""
        if _some_are_due(claimed):
            # Jobs are due, but not for the executors that have room: those have none for a while.
            return
        parked_at = time.monotonic()
        now_ms = claimed.now_ms
        next_due_ms = claimed.next_due_ms
        while (age := time.monotonic() - parked_at) < PARK_SECONDS / 2:
            redis_now_ms = now_ms + age * 1000
            seconds = self._poll_seconds
            if next_due_ms is not None:
                if next_due_ms <= redis_now_ms:
                    return
                seconds = min(seconds, (next_due_ms - redis_now_ms) / 1000)
            if await _set_within(self._woken, seconds):
                return
            try:
                next_due_ms = await self._store.queues.head_due_ms(self._queues)
            except (RedisError, OSError) as error:
                await self._link.pause(error, 1)
                return


def _some_are_due(claimed: Claimed, within_ms: float = 0.0) -> bool:
    # A job that found its executor full is not due for a moment, but a burst is not over.
    return claimed.next_due_ms is not None and claimed.next_due_ms <= claimed.now_ms + within_ms


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; whether it was set in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
            return True
    return False
