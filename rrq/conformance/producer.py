"""`check_producer`: has a program enqueue the vectors, and judges what it wrote to Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rrq.conformance import vectors
from rrq.conformance.redis_watch import RedisWatch, Write
from rrq.conformance.report import LINES_KEPT, Line, Point, Report, shown
from rrq.conformance.vectors import Case
from rrq.conformance.written_jobs import JobJudge, WrittenJobs
from rrq.dsn import mask_dsn
from rrq.exc import RRQError
from rrq.store.keys import Keys
from rrq.wording import counted

IDLE_WORKER = "rrq_worker_of_the_check"
"""The worker that seems to sleep, and is to be woken."""

IDLE_MS = 3_600_000

KEPT_BYTES = 64 * 1024
"""As much of what the program prints, at its end, is kept."""

READING_SECONDS = 5.0
"""How long the last of it may take to be read, once the program has ended."""


@dataclass(frozen=True, slots=True)
class _Run:
    """How the program ran: its exit status, None if its time was over, and what it printed."""

    status: int | None
    lines: tuple[Line, ...]
    begun: datetime
    ended: datetime


def check_producer(
    command: Sequence[str], redis_dsn: str, *, time_limit_seconds: float = 60.0
) -> Report:
    """Run a program that enqueues `tests/vectors/jobs.json`, and judge each of its jobs.

    The program finds in its environment `RRQ_VECTORS`, the path of that file, and
    `RRQ_REDIS_DSN`.

    Args:
        command: the program and its arguments.
        redis_dsn: an empty database; what the program writes stays there.
        time_limit_seconds: how long the program may run.

    Raises:
        RRQError: the program cannot be started, or the database is not empty or not to be used.
    """
    import redis

    keys = Keys()
    try:
        client = redis.Redis.from_url(redis_dsn)
    except ValueError as error:
        raise RRQError(f"{mask_dsn(redis_dsn)} is no address of a Redis: {error}") from None
    try:
        if size := client.dbsize():
            raise RRQError(f"The database holds {counted(size, 'key')} already: give an empty one")
        client.zadd(keys.idle("default"), {IDLE_WORKER: _now_ms(client) + IDLE_MS})
        watch = RedisWatch(client, keys.job_root, keys.queue_root)
        is_watched = watch.start()
        run = _run(command, redis_dsn, client, time_limit_seconds)
        writes = watch.end() if is_watched else None
        was_woken = b"wake" in client.lrange(keys.mailbox(IDLE_WORKER), 0, -1)
        client.delete(keys.mailbox(IDLE_WORKER))
        client.zrem(keys.idle("default"), IDLE_WORKER)
        written = WrittenJobs.read(client, keys)
    except redis.RedisError as error:
        raise RRQError(f"Redis at {mask_dsn(redis_dsn)} cannot be used: {error}") from None
    finally:
        client.close()
    file = vectors.load("jobs")
    judge = JobJudge(written, file["every_job"]["fields"], run.begun, run.ended)
    points = [
        _end_of(run, time_limit_seconds, written),
        *_cases(file["cases"], judge),
        _rest(file["cases"], written),
        *_order(written, writes),
        _waking(was_woken),
    ]
    if written.is_empty:
        note = "not tried: nothing was written"
        points[1:] = [replace(one, status="absent", note=note) for one in points[1:]]
    return Report(command=command, points=points)


def _run(command: Sequence[str], dsn: str, client: Any, limit_seconds: float) -> _Run:
    environment = {
        **os.environ,
        "RRQ_REDIS_DSN": dsn,
        "RRQ_VECTORS": str(vectors.folder() / "jobs.json"),
    }
    begun = _now(client)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RRQError(f"{command[0]!r} cannot be started: {why}") from None
    status: int | None = None
    printed = bytearray()
    reader = threading.Thread(target=_keep_the_end, args=(process, printed), daemon=True)
    reader.start()
    try:
        status = process.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _kill(process)
    process.wait()
    reader.join(READING_SECONDS)
    said = [Line("producer", shown(line)) for line in bytes(printed).splitlines()]
    return _Run(status, tuple(said[-LINES_KEPT:]), begun, _now(client))


def _keep_the_end(process: subprocess.Popen[bytes], printed: bytearray) -> None:
    """Read what a program prints, and keep what may be shown of it."""
    assert process.stdout is not None
    with process.stdout as stdout:
        while chunk := os.read(stdout.fileno(), KEPT_BYTES):
            printed += chunk
            del printed[:-KEPT_BYTES]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and everything that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


# -- points -----------------------------------------------------------------------------


def _end_of(run: _Run, limit_seconds: float, written: WrittenJobs) -> Point:
    name = "the program ends with status 0"
    if run.status == 0 and not written.is_empty:
        return Point(name=name, status="holds", lines=run.lines)
    if run.status == 0:
        note = "it ends with 0, but wrote nothing: are RRQ_REDIS_DSN and its database number used?"
        return Point(name=name, status="wrong", note=note, lines=run.lines)
    note = f"it ended with {run.status}"
    if run.status is None:
        note = f"it was killed after {limit_seconds:g} s"
    return Point(name=name, status="wrong", note=note, lines=run.lines)


def _cases(cases: Iterable[Case], judge: JobJudge) -> Iterator[Point]:
    cases = list(cases)
    absent = _needs_not_met(cases, judge.written)
    for case in cases:
        name = f"job: {case['name']}"
        if missing := absent.intersection(vectors.needs(case)):
            note = f"optional: the producer enqueues no job that needs `{min(missing)}`"
            yield Point(name=name, status="absent", note=note)
            continue
        problems = list(judge.problems(case))
        yield Point(
            name=name,
            status="wrong" if problems else "holds",
            note="; ".join(problems),
            lines=tuple(_found(case, judge.written)),
        )


def _needs_not_met(cases: Sequence[Case], written: WrittenJobs) -> set[str]:
    """The needs of which no job is there at all, expected or not."""
    needs = {need for case in cases for need in vectors.needs(case)}
    return {
        need
        for need in needs
        if not any(
            written.of(case["function_name"]) for case in cases if need in vectors.needs(case)
        )
    }


def _found(case: Case, written: WrittenJobs) -> Iterator[Line]:
    """What Redis holds for a case."""
    for job_id in written.of(case["function_name"]):
        for queue, score in written.places.get(job_id, {}).items():
            yield Line("redis", shown(f"rrq:queue:{queue} {score:.3f} {job_id}"))
        for name, value in sorted(written.hashes[job_id].items()):
            yield Line("redis", shown(f"rrq:job:{job_id} {name} {value}"))


def _rest(cases: Sequence[Case], written: WrittenJobs) -> Point:
    name = "nothing else is written"
    known = {case["function_name"] for case in cases}
    problems = [*written.misshapen]
    problems += [
        f"job {shown(job_id)} of function {shown(fields.get('function_name', ''))} is no vector"
        for job_id, fields in written.hashes.items()
        if fields.get("function_name") not in known
    ]
    problems += [
        f"queue {shown(queue)} holds {shown(job_id)}, which has no hash"
        for job_id, places in written.places.items()
        if job_id not in written.hashes
        for queue in places
    ]
    problems += [f"the key {shown(key)} is none of RRQ's" for key in written.strange]
    lines = tuple(Line("redis", problem) for problem in problems[:LINES_KEPT])
    return Point(
        name=name,
        status="wrong" if problems else "holds",
        note="; ".join(problems[:3]),
        lines=lines,
    )


def _order(written: WrittenJobs, writes: Sequence[Write] | None) -> Iterator[Point]:
    first, atomic = "the hash is there before the queue", "hash and queue are written in one step"
    if writes is None:
        for name in (first, atomic):
            yield Point(name=name, status="absent", note="not seen: Redis refuses MONITOR")
        return
    early: list[str] = []
    apart: list[str] = []
    for job_id in written.hashes:
        raw = job_id.encode(errors="surrogateescape")
        mine = [(place, write) for place, write in enumerate(writes) if write.job_id == raw]
        hashes = [one for one in mine if one[1].kind == "hash"]
        queues = [one for one in mine if one[1].kind == "queue"]
        if not hashes or not queues:
            continue  # Told by its case.
        if hashes[0][1].step == queues[0][1].step:
            continue
        (early if queues[0][0] < hashes[0][0] else apart).append(job_id)
    if early:
        note = (
            f"{counted(len(early), 'job comes into its', 'jobs come into their')} queue too early, "
            f"such as {shown(early[0])}"
        )
        yield Point(name=first, status="wrong", note=note)
    else:
        yield Point(name=first, status="holds")
    if early or apart:
        note = "optional: a worker may see one without the other"
        yield Point(name=atomic, status="absent", note=note)
    else:
        yield Point(name=atomic, status="holds")


def _waking(was_woken: bool) -> Point:
    name = "an idle worker is woken"
    if was_woken:
        return Point(name=name, status="holds")
    return Point(name=name, status="absent", note="optional: the fallback poll finds the jobs")


def _now(client: Any) -> datetime:
    seconds, micros = client.time()
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)


def _now_ms(client: Any) -> int:
    return int(_now(client).timestamp() * 1000)
