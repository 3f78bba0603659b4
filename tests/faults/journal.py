"""`Journal`: the server's own record of every write, its append-only file, as a witness.

It holds each atomic step as the server carried it out, through restarts, at no cost to the run.
Replayed, it tells at every moment where each job was, and how often each was settled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SERVER_OPTIONS = [
    *("--appendonly", "yes", "--appendfsync", "always"),
    *("--auto-aof-rewrite-percentage", "0"),
]
"""Every write is in the file before its answer, and the file is never made shorter."""

TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}

Command = list[str]


@dataclass(slots=True)
class Past:
    """What the journal tells of one job.

    Attributes:
        enqueued: how often a definition was written.
        tokens: the lease tokens, in order.
        settled: the terminal states that it entered since it was enqueued last.
        dead_lettered: how often it entered a DLQ, less how often it left one.
    """

    enqueued: int = 0
    tokens: list[int] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    dead_lettered: int = 0
    status: str = ""
    queues: set[str] = field(default_factory=set)
    is_leased: bool = False

    def places(self) -> list[str]:
        """Where it is: `queue …`, `leased`, or its terminal status; one of them if all is well."""
        places = [f"queue {name}" for name in sorted(self.queues)]
        if self.is_leased:
            places.append("leased")
        if self.status in TERMINAL:
            places.append(self.status)
        return places


class Journal:
    """Replays the append-only file of a server that was started with `SERVER_OPTIONS`."""

    def __init__(self, directory: Path, prefix: str = "rrq") -> None:
        self._folder = directory / "appendonlydir"
        self._job_root = f"{prefix}:job:"
        self._queue_root = f"{prefix}:queue:"
        self._dlq_root = f"{prefix}:dlq:"
        self._leases = f"{prefix}:leases"
        self.pasts: dict[str, Past] = defaultdict(Past)
        self.violations: list[str] = []

    def replay(self) -> Journal:
        """Read the whole file anew."""
        self.pasts.clear()
        self.violations.clear()
        for path in sorted(self._folder.glob("*.incr.aof"), key=_number):
            for step in _steps(path.read_bytes()):
                self._replay_step(step)
        return self

    def _replay_step(self, step: list[Command]) -> None:
        touched: set[str] = set()
        for name, *arguments in step:
            if apply := getattr(self, f"_{name.lower()}", None):
                touched |= apply(*arguments)
        for job_id in touched:
            past = self.pasts[job_id]
            places = past.places()
            if past.enqueued and len(places) != 1:
                steps = " | ".join(" ".join(command)[:200] for command in step)
                self.violations.append(f"{job_id} is in {places or 'no place'} after {steps}")

    # One method for each command that moves a job; each returns the jobs that it touched.

    def _hset(self, key: str, *pairs: str) -> set[str]:
        if not key.startswith(self._job_root):
            return set()
        job_id = key.removeprefix(self._job_root)
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        past = self.pasts[job_id]
        if "enqueue_time" in fields:
            past.enqueued += 1
            past.settled.clear()
        if token := fields.get("lease_token"):
            if past.tokens and int(token) <= past.tokens[-1]:
                self.violations.append(f"{job_id} got token {token} after {past.tokens[-1]}")
            past.tokens.append(int(token))
        if status := fields.get("status"):
            if status in TERMINAL:
                past.settled.append(status)
            past.status = status
        return {job_id}

    def _zadd(self, key: str, *arguments: str) -> set[str]:
        # Options such as NX stand before the pairs of score and member.
        first = next(i for i, text in enumerate(arguments) if not text.isalpha())
        members = set(arguments[first + 1 :: 2])
        return self._move(key, members, is_in=True)

    def _zrem(self, key: str, *members: str) -> set[str]:
        return self._move(key, set(members), is_in=False)

    def _move(self, key: str, members: set[str], *, is_in: bool) -> set[str]:
        if key == self._leases:
            for member in members:
                self.pasts[member].is_leased = is_in
            return members
        if key.startswith(self._queue_root):
            for member in members:
                queues = self.pasts[member].queues
                (queues.add if is_in else queues.discard)(key.removeprefix(self._queue_root))
            return members
        return set()

    def _lpush(self, key: str, *members: str) -> set[str]:
        if not key.startswith(self._dlq_root):
            return set()
        for member in members:
            self.pasts[member].dead_lettered += 1
        return set(members)

    def _lrem(self, key: str, _count: str, member: str) -> set[str]:
        if not key.startswith(self._dlq_root):
            return set()
        self.pasts[member].dead_lettered -= 1
        return {member}


def _number(path: Path) -> int:
    return int(path.name.split(".")[-3])


def _steps(journal: bytes) -> Iterator[list[Command]]:
    """The commands of each transaction together; a torn last one, as a crash leaves it, not."""
    step: list[Command] | None = None
    for command in _commands(journal):
        match command[0].upper():
            case "MULTI":
                step = []
            case "EXEC":
                if step:
                    yield step
                step = None
            case _ if step is not None:
                step.append(command)
            case _:
                yield [command]


def _commands(journal: bytes) -> Iterator[Command]:
    at, end = 0, len(journal)

    def line() -> bytes:
        nonlocal at
        stop = journal.index(b"\r\n", at)
        text, at = journal[at:stop], stop + 2
        return text

    while at < end:
        try:
            count = int(line()[1:])
            command = []
            for _ in range(count):
                size = int(line()[1:])
                if at + size + 2 > end:
                    return
                command.append(journal[at : at + size].decode(errors="replace"))
                at += size + 2
        except ValueError:
            return
        yield command
