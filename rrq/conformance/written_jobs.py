"""`WrittenJobs`: everything that a producer left in Redis, and `JobJudge`, which compares it with
what the vectors expect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rrq.conformance import vectors
from rrq.conformance.report import shown
from rrq.conformance.sameness import difference
from rrq.conformance.vectors import Case
from rrq.store.codec import read_time

if TYPE_CHECKING:
    from rrq.store.keys import Keys

TIME = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
"""RFC 3339, as the schemas have it."""

CLOCK_SECONDS = 1.0
"""How far a producer's own clock may be from that of Redis."""

_OF_THE_STEPS = frozenset(("held", "history", "idle", "mailbox", "stats"))
"""What follows the prefix in the other keys that the enqueue step writes."""

Fields = dict[str, str]


@dataclass(slots=True)
class WrittenJobs:
    """What Redis holds.

    Attributes:
        hashes: the fields of each job, by id.
        places: the queues, bare, that an id waits in, with its score in each.
        expiring: the ids of jobs whose hash has a TTL.
        holders: for each unique key its holder's id, and for how many milliseconds.
        queues: what is in the set of queues.
        strange: keys that no producer has to write.
        misshapen: keys that hold another type than a worker reads there, each in a sentence.
    """

    hashes: dict[str, Fields] = field(default_factory=dict)
    places: dict[str, dict[str, float]] = field(default_factory=dict)
    expiring: set[str] = field(default_factory=set)
    holders: dict[str, tuple[str, int]] = field(default_factory=dict)
    queues: set[str] = field(default_factory=set)
    strange: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, client: Any, keys: Keys) -> WrittenJobs:
        """Look at everything in a database, through a client for bytes."""
        written = cls()
        unique_root = keys.unique("")
        types = {
            keys.job_root: "hash",
            keys.queue_root: "sorted set",
            unique_root: "string",
            keys.queues: "set",
        }
        for raw in client.scan_iter(count=500):
            key = _text(raw)
            type_ = _text(client.type(raw)).replace("zset", "sorted set")
            wanted = next((types[root] for root in types if key.startswith(root)), type_)
            if type_ != wanted:
                written.misshapen.append(f"the key {shown(key)} is a {type_}, not a {wanted}")
            elif key.startswith(keys.job_root):
                job_id = key.removeprefix(keys.job_root)
                fields = client.hgetall(raw)
                written.hashes[job_id] = {_text(a): _text(b) for a, b in fields.items()}
                if client.pttl(raw) >= 0:
                    written.expiring.add(job_id)
            elif key.startswith(keys.queue_root):
                entries = client.zrange(raw, 0, -1, withscores=True)
                for job_id_raw, score in entries:
                    place = written.places.setdefault(_text(job_id_raw), {})
                    place[key.removeprefix(keys.queue_root)] = score
            elif key.startswith(unique_root):
                holder = _text(client.get(raw) or b"")
                written.holders[key.removeprefix(unique_root)] = (holder, client.pttl(raw))
            elif key == keys.queues:
                written.queues = {_text(name) for name in client.smembers(raw)}
            elif key.removeprefix(f"{keys.prefix}:").partition(":")[0] not in _OF_THE_STEPS:
                written.strange.append(key)
        return written

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all."""
        return not (self.hashes or self.places or self.strange or self.misshapen)

    def of(self, function_name: str) -> list[str]:
        """The ids of the jobs of one function."""
        return [
            job_id
            for job_id, fields in self.hashes.items()
            if fields.get("function_name") == function_name
        ]


@dataclass(frozen=True, slots=True)
class JobJudge:
    """Compares jobs with the vectors.

    Attributes:
        written: what Redis holds.
        every_job: the matchers that count for all.
        begun, ended: when the producer ran, by Redis' clock.
    """

    written: WrittenJobs
    every_job: dict[str, dict[str, str]]
    begun: datetime
    ended: datetime

    def problems(self, case: Case) -> Iterator[str]:
        """What is wrong with a case's job, one after the other."""
        expected, ids = case["expect"], self.written.of(case["function_name"])
        if expected is None:
            if ids:
                yield f"there is a job {ids[0]}, though there should be none"
            return
        if not ids:
            yield "there is no such job"
            return
        if len(ids) > 1:
            yield f"there are {len(ids)} such jobs"
        job_id = ids[0]
        fields = self.written.hashes[job_id]
        if job_id != expected.get("job_id", job_id):
            yield f"its id is {shown(job_id)}, not {shown(expected['job_id'])}"
        places = self.written.places.get(job_id, {})
        if list(places) != [expected["queue"]]:
            found = ", ".join(map(shown, sorted(places))) or "none"
            yield f"it waits in queue {found}, not in {shown(expected['queue'])}"
        score = next(iter(places.values()), None)
        if score is not None:
            yield from self._due_problems(expected["due"], score, fields)
        if job_id in self.written.expiring:
            yield "its hash has a TTL, and may be gone before it runs"
        for name, matcher in {**self.every_job, **expected["fields"]}.items():
            if problem := self._mismatch(fields.get(name), matcher, job_id, score):
                yield f"`{name}` {problem}"
        yield from self._key_problems(case, expected, job_id)

    def _due_problems(self, due: Any, score: float, fields: Fields) -> Iterator[str]:
        if "at_ms" in due:
            wanted_ms = float(due["at_ms"])
        else:
            enqueued = _time(fields.get("enqueue_time"))
            if enqueued is None:
                return  # Told by its field.
            wanted_ms = _epoch_ms(enqueued) + due["after_ms"]
        if abs(score - wanted_ms) > due.get("within_ms", 1) + 1e-3:
            yield f"its score is {score:.3f}, not {wanted_ms:.3f}"

    def _key_problems(self, case: Case, expected: Any, job_id: str) -> Iterator[str]:
        key = case["options"].get("unique_key")
        if key is None:
            return
        holder, ttl_ms = self.written.holders.get(key, ("", 0))
        if "holder" in expected:
            if holder not in self.written.of(expected["holder"]):
                yield f"its unique key is held by {shown(holder) or 'nobody'}"
            return
        if holder != job_id:
            yield f"its unique key is held by {shown(holder) or 'nobody'}"
        first, last = expected.get("unique_ttl_ms", (0, float("inf")))
        if not first <= ttl_ms <= last:
            yield f"its unique key expires in {ttl_ms} ms, not in {first} to {last}"

    def _mismatch(
        self, value: str | None, matcher: dict[str, Any], job_id: str, score: float | None
    ) -> str | None:
        if "unset_or" in matcher:
            if value is None or re.fullmatch(matcher["unset_or"], value):
                return None
            return f"is {_quoted(value)}, not unset or like {matcher['unset_or']}"
        if value is None:
            return "is missing"
        if "json" in matcher:
            try:
                unlike = difference(vectors.text(matcher["json"]), value)
            except (ValueError, RecursionError) as error:
                return f"is no JSON: {error}"
            return unlike and f"says something else: {unlike}"
        if "is" in matcher and matcher["is"] != "id":
            return self._time_mismatch(value, matcher["is"], score)
        wanted = matcher.get("any_of") or [job_id if "is" in matcher else matcher["text"]]
        if value not in wanted:
            return f"is {_quoted(value)}, not {' or '.join(map(_quoted, wanted))}"
        return None

    def _time_mismatch(self, value: str, wanted: str, score: float | None) -> str | None:
        time = _time(value)
        if time is None:
            return f"is {_quoted(value)}, which is no RFC 3339 time with an offset"
        if wanted == "now":
            slack = timedelta(seconds=CLOCK_SECONDS)
            if self.begun - slack <= time <= self.ended + slack:
                return None
            return f"is {value}, but the program ran from {self.begun} to {self.ended}"
        if score is not None and abs(_epoch_ms(time) - score) > 1 + 1e-3:
            return f"is {value}, which is not its score of {score:.3f}"
        return None


def _time(value: str | None) -> datetime | None:
    if value is None or not TIME.fullmatch(value):
        return None
    try:
        return read_time(value.encode())
    except ValueError:
        return None


def _epoch_ms(time: datetime) -> float:
    start = read_time(b"1970-01-01T00:00:00Z")
    return (time - start) // timedelta(microseconds=1) / 1000


def _quoted(value: str) -> str:
    return f'"{shown(value, 60)}"'


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")
