"""`DeadLetters`: what ended in a dead letter queue, and the way back into the queues.

`letters` reads, `sweep` requeues or deletes; both take many small steps, so that no call keeps
Redis busy, however long the list is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rrq.store.asking import hash_values
from rrq.store.dead_letter import EVERYTHING, FIELDS, DeadLetter, Wanted
from rrq.store.replies import text, texts

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.settings import RRQSettings
    from rrq.store.keys import Keys
    from rrq.store.scripts import Steps

READ_AT_ONCE = 1000
"""How many entries are read in one go."""

SWEPT_AT_ONCE = 100
"""How many entries one step looks at, unless the caller says otherwise: one or two milliseconds."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What was done since the last one.

    Attributes:
        seen: how many entries were looked at.
        swept: how many jobs were requeued or deleted.
        expired: entries without a hash, which were removed.
        alive: entries of jobs that wait, run or ended well, which were removed; the jobs were not
            touched.
        refused: entries that stay: the job's key is no hash, or its queue's no sorted set.
    """

    seen: int = 0
    swept: int = 0
    expired: int = 0
    alive: int = 0
    refused: int = 0

    def __add__(self, other: Swept) -> Swept:
        return Swept(
            self.seen + other.seen,
            self.swept + other.swept,
            self.expired + other.expired,
            self.alive + other.alive,
            self.refused + other.refused,
        )


class DeadLetters:
    """Dead letter queues, by name: bare or full key."""

    def __init__(self, redis: Redis, steps: Steps, keys: Keys, settings: RRQSettings) -> None:
        self._redis = redis
        self._steps = steps
        self._keys = keys
        self._default_queue = keys.bare_queue(settings.default_queue_name)
        self._unique_ttl_ms = settings.default_unique_job_lock_ttl_seconds * 1000

    async def count(self, name: str) -> int:
        """How many jobs are in it."""
        return int(await self._redis.llen(self._keys.dlq(name)))

    async def ids(self, name: str, start: int = 0, end: int = -1) -> list[str]:
        """Ids, the newest first, from index `start` to `end` inclusive."""
        ids = await self._redis.lrange(self._keys.dlq(name), start, end)
        return texts(ids)

    async def letters(
        self,
        name: str,
        *,
        oldest_first: bool = False,
        at_once: int = READ_AT_ONCE,
        with_types: bool = False,
    ) -> AsyncGenerator[list[DeadLetter], None]:
        """All of them, some at a time, the newest first. Changes nothing.

        Read with the oldest first, none is met twice though others come in. The types of errors
        make it several times as much to read.
        """
        seen = 0
        while True:
            if oldest_first:
                ids = (await self.ids(name, -(seen + at_once), -(seen + 1)))[::-1]
            else:
                ids = await self.ids(name, seen, seen + at_once - 1)
            if ids:
                yield await self._read(ids, with_types)
            seen += len(ids)
            if len(ids) < at_once:
                return

    async def sweep(
        self,
        name: str,
        action: Literal["requeue", "delete"],
        wanted: Wanted = EVERYTHING,
        *,
        target_queue: str | None = None,
        limit: int | None = None,
        at_once: int = SWEPT_AT_ONCE,
    ) -> AsyncGenerator[Swept, None]:
        """Requeue or delete what is wanted of those that are there now, the oldest first.

        Each step is atomic, so it may be left off after any; a new sweep goes on from there.
        `lua/sweep.lua` tells how.

        Args:
            target_queue: where to put them, bare or full; else each in its own queue.
            limit: the most jobs to requeue or delete.
            at_once: the most entries that one step looks at.

        Yields:
            What each step did.
        """
        dlq = self._keys.bare_dlq(name)
        head: list[str | int] = [
            self._keys.bare_queue(target_queue or ""),
            self._default_queue,
            self._unique_ttl_ms,
        ]
        kept, anchor = 0, ""
        # Jobs that fail again meanwhile come in at the head, beyond these.
        unseen = await self.count(name)
        swept = 0
        decided: list[tuple[str, str]] = []
        while unseen > 0 and (limit is None or swept < limit):
            if not decided:
                read = await self._decide(name, kept, anchor, min(READ_AT_ONCE, unseen), wanted)
                if read == []:
                    return
                decided = read or []
            room = at_once if limit is None else min(at_once, limit - swept)
            sent = _until_full(decided[:at_once], room)
            if sent and all(decision == "keep" for _, decision in sent):
                done = Swept(len(sent))
                kept, anchor = kept + len(sent), sent[-1][0]
                decided = decided[len(sent) :]
            else:
                arguments = [part for entry in sent for part in entry]
                answer = await self._steps.call(
                    "sweep", action, dlq, kept, anchor, *head, *arguments
                )
                done = Swept(*answer[:5])
                if answer[5] == 0 and done.seen == 0:
                    unseen += kept
                kept, anchor = answer[5], text(answer[6])
                decided = decided[len(sent) :] if done.seen == len(sent) else []
            unseen -= done.seen
            swept += done.swept
            yield done

    async def _decide(
        self, name: str, kept: int, anchor: str, count: int, wanted: Wanted
    ) -> list[tuple[str, str]] | None:
        """Each of the entries beyond the cursor, the oldest first, with what the step is to do
        with it; None if the cursor is not where it was."""
        ids = (await self.ids(name, -(kept + count), -max(kept, 1)))[::-1]
        if kept:
            if not ids or ids[0] != anchor:
                return None
            ids = ids[1:]
        if wanted.is_everything:
            return [(job_id, "any") for job_id in ids]
        candidates = [job_id for job_id in ids if wanted.fits_id(job_id)]
        letters = await self._read(candidates, with_types=wanted.error is not None)
        decisions = {letter.job_id: _decision(letter, wanted) for letter in letters}
        return [(job_id, decisions.get(job_id, "keep")) for job_id in ids]

    async def _read(self, ids: Sequence[str], with_types: bool) -> list[DeadLetter]:
        fields = (*FIELDS, "attempts") if with_types else FIELDS
        answers = await hash_values(self._redis, map(self._keys.job, ids), fields)
        letters = []
        for job_id, values in zip(ids, answers, strict=True):
            if values is None:
                letters.append(DeadLetter(job_id))
            elif not any(value is not None for value in values):
                letters.append(DeadLetter(job_id, is_expired=True))
            else:
                letters.append(DeadLetter.read(job_id, values, self._keys))
        return letters


def _decision(letter: DeadLetter, wanted: Wanted) -> str:
    if letter.is_expired:
        return "gone"
    return letter.death if wanted.fits(letter) else "keep"


def _until_full(entries: Sequence[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """The first of these, with no more than `room` among them that may be swept."""
    for place, (_, decision) in enumerate(entries):
        if decision not in ("keep", "gone"):
            if room == 0:
                return list(entries[:place])
            room -= 1
    return list(entries)
