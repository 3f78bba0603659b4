"""`check_executor`: drives an executor through the protocol, point by point, without Redis."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from rrq.conformance import executor_flow as flow
from rrq.conformance import executor_requests as requests
from rrq.conformance import executor_stops as stops
from rrq.conformance.executor_answer import AbsentPoint, WrongPoint
from rrq.conformance.executor_bench import Bench, Subject
from rrq.conformance.report import Point, Report, Status

FIRST = "a good request is answered"

POINTS: tuple[tuple[str, Callable[[Bench], Awaitable[str]]], ...] = (
    (FIRST, requests.good_request),
    ("it says hello", flow.hello),
    ("it stays plain for a worker that knows no features", flow.without_features),
    ("neither locale nor time zone changes anything", flow.elsewhere),
    ("requests of every form are understood", requests.every_form),
    ("values come back as they were sent", requests.values),
    ("integers of 64 bits keep their digits", requests.big_integers),
    ("integers of any length keep their digits", requests.huge_integers),
    ("zero keeps its sign", requests.negative_zero),
    ("an unknown handler is told as such", requests.unknown_handler),
    ("a failure is an error with its message", requests.failing),
    ("a handler can ask for another attempt", requests.retrying),
    ("a request of another version is refused", requests.other_version),
    ("a line that is no request is answered", requests.bad_requests),
    ("a doubtful request does no harm", requests.doubtful_requests),
    ("blank lines are ignored", requests.blank_lines),
    ("a request that arrives in pieces is put together", requests.pieces),
    ("some megabytes pass in both directions", requests.big_request),
    ("a line that is too long is refused", requests.too_long_a_line),
    ("a job that was answered can come again", requests.same_job_again),
    ("many requests get each its own outcome", flow.many_requests),
    ("long requests do not hold up a short one", flow.at_once),
    ("a cancelled request stops", stops.cancelling),
    ("cancelled requests leave their places to others", stops.giving_places_back),
    ("a cancelled request is answered once", stops.cancelling_once),
    ("a cancel for nothing is ignored", stops.cancelling_nothing),
    ("a deadline is kept", stops.deadline),
    ("no request is stopped before its deadline", stops.no_early_deadline),
    ("progress is reported", flow.progress),
    ("what a handler prints stays off the protocol", requests.printing),
    ("at the end of stdin it ends", flow.end_when_idle),
    ("at the end of stdin it ends, a request under way", flow.end_under_way),
    ("at an end of stdin within a line it ends", flow.end_within_a_line),
)
"""What is checked, in this order."""

LAST = "stdout carries the protocol and nothing else"


async def check_executor(
    subject: Subject,
    passed: Callable[[Point], None] = lambda point: None,
    *,
    only: Sequence[str] | None = None,
) -> Report:
    """Check an executor.

    Args:
        subject: what is checked.
        passed: told of each point as soon as it is decided.
        only: points whose name has one of these texts in it; the first and the last are always
            looked at. None or none: all.

    Raises:
        RRQError: the program cannot be started.
    """
    bench = Bench(subject)
    points: list[Point] = []
    try:
        wanted = names(only)
        for name, look in POINTS:
            if name not in wanted:
                continue
            if points and points[0].status == "wrong":
                note = "not tried: a good request must be answered first"
                points.append(Point(name=name, status="absent", note=note))
                continue
            points.append(await _decided(name, look, bench))
            passed(points[-1])
    finally:
        await bench.replace()
    points.append(_stdout(bench.faults))
    passed(points[-1])
    return Report(command=subject.command, points=points)


async def _decided(name: str, look: Callable[[Bench], Awaitable[str]], bench: Bench) -> Point:
    bench.transcript.clear()
    begun = time.monotonic()
    status: Status = "holds"
    note = ""
    try:
        note = await look(bench)
    except AbsentPoint as absent:
        status, note = "absent", str(absent)
    except WrongPoint as wrong:
        status, note = "wrong", str(wrong)
        await bench.replace()
    return Point(
        name=name,
        status=status,
        note=note,
        lines=tuple(bench.transcript),
        seconds=time.monotonic() - begun,
    )


def _stdout(faults: list[str]) -> Point:
    if not faults:
        return Point(name=LAST, status="holds")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Point(name=LAST, status="wrong", note=f"{faults[0]}{more}")


def names(only: Sequence[str] | None = None) -> list[str]:
    """The names of the points that are looked at."""
    return [
        name
        for name in (*(name for name, _ in POINTS), LAST)
        if not only or name in (FIRST, LAST) or any(text in name for text in only)
    ]
