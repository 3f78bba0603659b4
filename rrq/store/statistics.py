"""`Statistics`: what the atomic steps counted, by queue and by function, over minutes and in all.

Reading it costs the same however many jobs there are: `lua/_tally.lua` tells what is kept, and
for how long.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rrq.store.replies import is_wrong_type, text, texts

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from rrq.store.keys import Keys

Kind = Literal["queue", "function"]

EVENTS = (
    "enqueued",
    "started",
    "completed",
    "failed",
    "retried",
    "dead_lettered",
    "lost",
    "released",
    "cancelled",
)
"""What is counted of jobs; `docs/reference/schema.md` says when."""

WINDOWS_MINUTES = (1, 5, 15, 60)

OTHERS = "(others)"
"""Stands for all names beyond the thousand that are counted one by one."""


@dataclass
class Times:
    """Times of many jobs: their sum, and how many are in each bucket of the histogram.

    A count may be a fraction: the oldest minute of a window is only partly in it.
    """

    sum_us: float = 0
    buckets: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def count(self) -> float:
        """How many there are."""
        return sum(self.buckets.values())

    @property
    def average_ms(self) -> float | None:
        """Their average; None if there are none."""
        return self.sum_us / 1000 / self.count if self.count else None

    def percentile_ms(self, percent: float) -> float | None:
        """The time that `percent` of them do not exceed, to about a fifth; None if there are none.

        Bucket 0 is below 1 ms, bucket n from 2^((n-1)/2) to 2^(n/2) ms.
        """
        wanted = self.count * percent / 100
        passed = 0.0
        for bucket in sorted(self.buckets):
            inside = self.buckets[bucket]
            if inside and passed + inside >= wanted:
                share = (wanted - passed) / inside
                return share if bucket == 0 else 2.0 ** ((bucket - 1 + share) / 2)
            passed += inside
        return None

    def add(self, other: Times, weight: float = 1) -> None:
        """Count these as well."""
        self.sum_us += other.sum_us * weight
        for bucket, count in other.buckets.items():
            self.buckets[bucket] += count * weight


@dataclass
class Window:
    """What happened in the last `minutes`."""

    minutes: int
    events: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    wait: Times = field(default_factory=Times)
    run: Times = field(default_factory=Times)

    def per_second(self, event: str) -> float:
        """How often an event happened, on average."""
        return self.events[event] / (60 * self.minutes)

    def add(self, other: Window, weight: float = 1) -> None:
        """Count these as well."""
        for event, count in other.events.items():
            self.events[event] += count * weight
        self.wait.add(other.wait, weight)
        self.run.add(other.run, weight)


class Statistics:
    """Counts and times; see the module."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def names(self, kind: Kind) -> list[str]:
        """The queues or functions that are counted, those with the newest events first."""
        return texts(await self._redis.zrange(self._keys.counted(kind), 0, -1, desc=True))

    async def totals(self, kind: Kind, names: Iterable[str]) -> dict[str, Counter[str]]:
        """How often each event happened, by name; for as long as there is one in 30 days."""
        found: dict[str, Counter[str]] = {}
        missing = list(names)
        while missing:
            minutes = await self._last_minutes(kind, missing)
            before = await self._hashes([self._keys.total(kind, name) for name in missing])
            newest = await self._hashes(
                [
                    self._keys.minute(minute, kind, name)
                    for name, minute in zip(missing, minutes, strict=True)
                ]
            )
            minutes_after = await self._last_minutes(kind, missing)
            for name, *hashes in zip(missing, before, newest, strict=True):
                found[name] = _events(hashes)
            # A minute that ended while it was read may be in both.
            changed = zip(missing, minutes, minutes_after, strict=True)
            missing = [name for name, minute, after in changed if minute != after]
        return found

    async def windows(
        self, kind: Kind, names: Iterable[str], minutes: Sequence[int] = WINDOWS_MINUTES
    ) -> dict[str, list[Window]]:
        """What happened in the last so many minutes, by name; at most 119 minutes back."""
        wanted = list(names)
        seconds, _ = await self._redis.time()
        current, elapsed_seconds = divmod(seconds, 60)
        back = range(max(minutes) + 1)
        hashes = iter(
            await self._hashes(
                [self._keys.minute(current - ago, kind, name) for name in wanted for ago in back]
            )
        )
        left_of_oldest = 1 - elapsed_seconds / 60
        found: dict[str, list[Window]] = {}
        for name in wanted:
            windows = [Window(length) for length in minutes]
            for ago, fields in zip(back, hashes, strict=False):
                if not fields:
                    continue
                bucket = _window(fields, 1)
                for window in windows:
                    if ago <= window.minutes:
                        window.add(bucket, left_of_oldest if ago == window.minutes else 1)
            found[name] = windows
        return found

    async def _last_minutes(self, kind: Kind, names: Sequence[str]) -> list[str]:
        """The last minute of each name, since the epoch, as its key has it."""
        key = self._keys.counted(kind)
        minutes = await self._answers([("ZSCORE", key, name) for name in names])
        return ["" if minute is None else f"{minute:.0f}" for minute in minutes]

    async def _hashes(self, keys: Sequence[str]) -> list[Mapping[bytes, bytes]]:
        return [answer or {} for answer in await self._answers([("HGETALL", key) for key in keys])]

    async def _answers(self, commands: Sequence[tuple[str, ...]]) -> list[Any]:
        """What Redis answers, None where a key holds something else."""
        if not commands:
            return []
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not is_wrong_type(answer):
                raise answer
        return [None if isinstance(answer, Exception) else answer for answer in answers]


def _events(hashes: Iterable[Mapping[bytes, bytes]]) -> Counter[str]:
    """How often each event happened in all of these."""
    window = Window(0)
    for fields in hashes:
        window.add(_window(fields, 0))
    return Counter({event: int(count) for event, count in window.events.items()})


def _window(fields: Mapping[bytes, bytes], minutes: int) -> Window:
    """What a hash holds, as far as it can be read: anybody may have written it."""
    window = Window(minutes)
    times = {"wait": window.wait, "run": window.run}
    for name, value in fields.items():
        field_name = text(name)
        what, colon, bucket = field_name.partition(":")
        try:
            count = int(value)
            if colon and what in times:
                times[what].buckets[int(bucket)] += count
            elif field_name.removesuffix("_us") in times:
                times[field_name.removesuffix("_us")].sum_us += count
            else:
                window.events[field_name] += count
        except ValueError:
            continue
    if window.wait.buckets:
        # Each start has its wait, and is counted by it.
        window.events["started"] += window.wait.count
    return window
