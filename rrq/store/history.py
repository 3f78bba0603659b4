"""`History`: which jobs ended and when, the newest first, without a look at any other job.

`lua/_history.lua` tells what is kept: jobs of one queue and function that ended with the same
status are a stretch, and each stretch has a list for each minute in which any of them ended.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rrq.job import JobStatus
from rrq.store.matching import is_function
from rrq.store.replies import texts
from rrq.store.statistics import OTHERS

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys

KEPT_MINUTES = 30 * 1440
READ_AT_ONCE = 500
FIRST_LOOK_MINUTES = 60


@dataclass(frozen=True, slots=True, order=True)
class Ended:
    """An entry: this job ended at this time (milliseconds since the epoch) with this status.

    The job may be gone since, or may have run again.
    """

    ended_ms: int
    job_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Jobs of one queue and function that ended with the same status."""

    name: str
    status: str
    queue: str
    function_name: str

    @classmethod
    def read(cls, name: str) -> Stretch | None:
        """A stretch from its name, `<status>:<bytes of queue>:<queue>:<function>`."""
        status, _, rest = name.partition(":")
        length, _, names = rest.partition(":")
        if not length.isdecimal():
            return None
        both = names.encode(errors="surrogateescape")
        queue, function_name = both[: int(length)], both[int(length) + 1 :]
        return cls(name, status, *texts((queue, function_name)))


class History:
    """The jobs that ended within their TTL, at most 30 days back."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def ended(
        self,
        *,
        statuses: Collection[JobStatus] = (),
        queue: str | None = None,
        function: str | None = None,
        since_ms: float | None = None,
        until_ms: float | None = None,
    ) -> AsyncGenerator[list[Ended], None]:
        """What ended, the newest first, some at a time. Changes nothing.

        Args:
            statuses: only these; all if there are none.
            queue: only this one, by its bare name.
            function: only this one; with or without the executor's name before it.
            since_ms, until_ms: only between these, in milliseconds since the epoch.

        Beyond a thousand queues or functions the rest share a stretch: an entry of that is given
        whatever its queue or function, so look at the job.
        """
        stretches = await self._stretches(statuses, queue, function)
        seconds, _ = await self._redis.time()
        newest = seconds // 60 if until_ms is None else min(seconds, int(until_ms // 1000)) // 60
        oldest = seconds // 60 - KEPT_MINUTES
        if since_ms is not None:
            oldest = max(oldest, int(since_ms // 60_000))
        look = FIRST_LOOK_MINUTES
        while stretches and newest >= oldest:
            first = max(oldest, newest - look + 1)
            for minute, active in await self._minutes(stretches, first, newest):
                async for entries in self._merged(minute, active):
                    yield [one for one in entries if _is_between(one, since_ms, until_ms)]
            newest, look = first - 1, look * 4

    async def _stretches(
        self, statuses: Collection[JobStatus], queue: str | None, function: str | None
    ) -> list[Stretch]:
        names = texts(await self._redis.zrange(self._keys.stretches, 0, -1))
        stretches = [stretch for name in names if (stretch := Stretch.read(name))]
        return [
            one
            for one in stretches
            if (not statuses or one.status in statuses)
            and (queue is None or one.queue in (queue, OTHERS))
            and (
                function is None
                or one.function_name == OTHERS
                or is_function(one.function_name, function)
            )
        ]

    async def _minutes(
        self, stretches: Iterable[Stretch], first: int, last: int
    ) -> list[tuple[int, list[Stretch]]]:
        """The minutes in which any of these has an entry, the newest first."""
        wanted = list(stretches)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for stretch in wanted:
                pipeline.zrangebyscore(self._keys.stretch_minutes(stretch.name), first, last)
            answers = await pipeline.execute()
        active: dict[int, list[Stretch]] = {}
        for stretch, minutes in zip(wanted, answers, strict=True):
            for minute in minutes:
                active.setdefault(int(minute), []).append(stretch)
        return sorted(active.items(), reverse=True)

    async def _merged(
        self, minute: int, stretches: Sequence[Stretch]
    ) -> AsyncGenerator[list[Ended], None]:
        """The entries of one minute, the newest first; each list is read from its end."""
        unread = dict.fromkeys(stretches, 0)
        waiting: list[Ended] = []
        while unread:
            reached = -1
            for stretch, entries, is_done in await self._read(minute, unread):
                waiting += entries
                if is_done:
                    del unread[stretch]
                else:
                    unread[stretch] += READ_AT_ONCE
                    # What was not read yet of this one is no newer than its last.
                    reached = max(reached, entries[-1].ended_ms if entries else reached)
            waiting.sort(reverse=True)
            ready = [one for one in waiting if not unread or one.ended_ms > reached]
            waiting = waiting[len(ready) :]
            yield ready

    async def _read(
        self, minute: int, places: dict[Stretch, int]
    ) -> list[tuple[Stretch, list[Ended], bool]]:
        """The next entries of each list, the newest first, and whether these are its last."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for stretch, place in places.items():
                key = self._keys.ended(minute, stretch.name)
                pipeline.lrange(key, -(place + READ_AT_ONCE), -(place + 1))
            answers = await pipeline.execute()
        found = []
        for stretch, lines in zip(list(places), answers, strict=True):
            entries = [one for line in reversed(texts(lines)) if (one := _entry(line, stretch))]
            found.append((stretch, entries, len(lines) < READ_AT_ONCE))
        return found


def _entry(line: str, stretch: Stretch) -> Ended | None:
    ended_ms, _, job_id = line.partition(" ")
    return Ended(int(ended_ms), job_id, stretch.status) if ended_ms.isdecimal() else None


def _is_between(one: Ended, since_ms: float | None, until_ms: float | None) -> bool:
    return (since_ms is None or one.ended_ms >= since_ms) and (
        until_ms is None or one.ended_ms <= until_ms
    )
