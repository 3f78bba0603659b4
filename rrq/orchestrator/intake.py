"""`Intake`: claims as much as there is room for, and sleeps until it is woken.

A claim that finds nothing due parks the worker in the same atomic step; whoever makes a job due
afterwards posts a wake-up to its mailbox. A job that was written without RRQ's enqueue step
wakes nobody: a look at the head of the queues finds it.

A worker that has nothing at all to do sends its next claim ahead, behind the reading of its
mailbox: Redis carries it out when the wake-up is there, and jobs come with the answer to that.
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
from rrq.orchestrator.mailbox import EXECUTORS_FIRST_SECONDS
from rrq.orchestrator.redis_link import RedisLink
from rrq.store.connection import means_wait
from rrq.store.leases import Claimed
from rrq.store.line import Line
from rrq.store.store import JobStore
from rrq.store.verdict import Verdict
from rrq.store.workers import MailReader

MAX_CLAIM_JOBS = 100
FEW_CLAIMS = 4
"""So many go to their executors before the next claim is prepared, which takes as long as they do.
Of more the first would gain little, and Redis would have nothing to do meanwhile."""

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
        mail: the worker's mailbox, which somebody else reads; None: no claim is sent ahead.
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
        mail: MailReader | None = None,
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
        self._mail = mail
        if mail:
            mail.begins_to_wait = self.room_appeared
        self._woken = asyncio.Event()
        self._answered: asyncio.Event | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._room_appeared = asyncio.Event()
        self._waits_for_room = False
        self._will_look_for_room = False
        self._sleeps = False
        self._has_mail = False
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
        self._has_mail = True
        self._woken.set()

    def room_appeared(self) -> None:
        """There may be room for more jobs. A worker that found nothing due sleeps on, unless it can
        send its next claim ahead now."""
        # Every job says so, and in one turn of the loop many end.
        if not self._will_look_for_room:
            self._will_look_for_room = True
            asyncio.get_running_loop().call_soon(self._look_for_room)

    def _look_for_room(self) -> None:
        self._will_look_for_room = False
        if self._waits_for_room and self._room() > 0:
            self._room_appeared.set()
        if self._dispatch.held:
            return
        if self._burst or (self._sleeps and self._waiting_line):
            self._woken.set()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when the answer under way has come."""
        self._is_stopping = True
        self._woken.set()
        if self._answered:
            self._answered.set()
        self._room_appeared.set()

    async def run(self) -> None:
        """Claim until stopped; in a burst, until all that is due has been done."""
        failures = 0
        parked: Claimed | None = None
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
                claimed = await self._claim(room, parked)
            except asyncio.CancelledError:
                self._answer_missed = True
                raise
            except (RedisError, OSError) as error:
                self._answer_missed = True
                if not means_wait(error) and str(error) != self.last_error:
                    logger.error("Jobs cannot be claimed: %s", error)
                self.last_error = str(error)
                failures += 1
                parked = None
                await self._link.pause(error, failures)
                continue
            failures = 0
            parked = None
            if claimed.claims:
                if len(claimed.claims) <= FEW_CLAIMS:
                    is_empty = not _some_are_due(claimed)
                    await asyncio.sleep(EXECUTORS_FIRST_SECONDS if is_empty else 0)
                continue
            if (
                self._burst
                and held_nothing
                and not _some_are_due(claimed, within_ms=TURNED_AWAY_MS)
            ):
                return
            if self._may_claim_ahead(claimed) or await self._sleep(claimed):
                parked = claimed

    def _room(self) -> int:
        return 0 if self._is_behind() else min(MAX_CLAIM_JOBS, self._dispatch.room())

    @property
    def _waiting_line(self) -> Line | None:
        return self._mail.waiting_line if self._mail else None

    def _may_claim_ahead(self, parked: Claimed) -> bool:
        """Whether the next claim may be sent before there is a reason for it: what it asks for
        must still hold when Redis carries it out, so nothing may run here that could end."""
        is_idle = not (self._burst or self._dispatch.held or self._has_mail)
        return is_idle and self._waiting_line is not None and not self._is_due(parked)

    async def _claim(self, room: int, parked: Claimed | None = None) -> Claimed:
        """Claim now, or, if the worker is parked, as soon as there is mail for it."""
        await self.give_back_unreceived()
        rooms = self._dispatch.rooms()
        may_wait = parked and not rooms.recall and self._may_claim_ahead(parked)
        line = self._waiting_line if may_wait else None
        self._has_mail = False
        if line and parked:
            self._answered = asyncio.Event()
            self._alarm = asyncio.create_task(self._write_to_self(parked, self._answered))
        try:
            claimed = await self._store.leases.claim(
                self._worker_id,
                self._queues,
                room,
                park_ms=round(PARK_SECONDS * 1000),
                rooms=rooms,
                line=line,
            )
        finally:
            if answered := self._answered:
                self._answered = None
                answered.set()
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

    async def _sleep(self, claimed: Claimed) -> bool:
        """Until woken, idle, the next job is due, a foreign one appears, or it is time to park
        anew; whether the next claim may be sent ahead."""
        if _some_are_due(claimed):
            # Jobs are due, but not for the executors that have room: those have none for a while.
            return False
        self._sleeps = True
        try:
            return await self._until_due(claimed, self._woken) and self._may_claim_ahead(claimed)
        except (RedisError, OSError) as error:
            await self._link.pause(error, 1)
            return False
        finally:
            self._sleeps = False

    async def _write_to_self(self, parked: Claimed, answered: asyncio.Event) -> None:
        """Have a claim that was sent ahead carried out when it is time, though nobody wrote."""
        # Whatever fails here fails for the claim too, which tells.
        with contextlib.suppress(RedisError, OSError):
            await self._until_due(parked, answered)
            if self._answered is answered:
                await self._store.workers.post(self._worker_id, "wake")

    async def _until_due(self, parked: Claimed, ended: asyncio.Event) -> bool:
        """Until it is time to claim; whether it was ended before."""
        next_due_ms = parked.next_due_ms
        while (age := time.monotonic() - self.last_claimed_at) < PARK_SECONDS / 2:
            redis_now_ms = parked.now_ms + age * 1000
            seconds = self._poll_seconds
            if next_due_ms is not None:
                if next_due_ms <= redis_now_ms:
                    return False
                seconds = min(seconds, (next_due_ms - redis_now_ms) / 1000)
            if await _set_within(ended, seconds):
                return True
            next_due_ms = await self._store.queues.head_due_ms(self._queues)
        return False

    def _is_due(self, parked: Claimed) -> bool:
        """Whether it is time to claim again, by Redis' clock."""
        age = time.monotonic() - self.last_claimed_at
        return age >= PARK_SECONDS / 2 or _some_are_due(parked, within_ms=age * 1000)


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
