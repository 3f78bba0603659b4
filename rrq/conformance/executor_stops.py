"""Points about requests that are to stop: cancelled ones, and those whose deadline comes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from rrq.conformance.executor_answer import AbsentPoint, WrongPoint
from rrq.conformance.executor_bench import Bench, check_status, deadline_in, rfc3339
from rrq.conformance.executor_process import CheckedProcess

LONG_SECONDS = 600
"""For what is meant to be stopped."""

SHORT_SECONDS = 0.4
"""For what would end soon if it were not stopped."""

BEGINNING_SECONDS = 0.1
"""After which a handler will have begun."""

MOST_PLACES = 64
"""How many requests are cancelled at once, at most."""


async def cancelling(bench: Bench) -> str:
    """A cancelled request stops and is answered; its neighbour goes on."""
    process = await _offering_cancel(bench)
    sleep = bench.subject.handlers.sleep
    await bench.try_handler(sleep, 0)
    neighbour = None
    if await bench.max_in_flight() > 1:
        neighbour = await bench.begin(process, sleep, 0.3)
    unwanted = await bench.begin(process, sleep, LONG_SECONDS)
    await _cancel(process, unwanted.job_ids[0])
    answer = await process.answer(unwanted)
    if neighbour is not None:
        check_status(await process.answer(neighbour), "success")
    return f"answered with {answer.outcome.status}"


async def giving_places_back(bench: Bench) -> str:
    """Requests that are cancelled while they run leave their places to others."""
    process = await _offering_cancel(bench)
    sleep = bench.subject.handlers.sleep
    await bench.try_handler(sleep, 0)
    places = min(await bench.max_in_flight(), MOST_PLACES)
    unwanted = [await bench.begin(process, sleep, LONG_SECONDS) for _ in range(places)]
    await asyncio.sleep(BEGINNING_SECONDS)
    for one in unwanted:
        await _cancel(process, one.job_ids[0])
    for one in unwanted:
        await process.answer(one)
    try:
        await bench.succeed(process)
    except WrongPoint as wrong:
        what = f"after {places} cancelled requests" if places > 1 else "after a cancelled request"
        raise WrongPoint(f"{what}, which go on in secret: {wrong}") from None
    return f"{places} cancelled"


async def cancelling_once(bench: Bench) -> str:
    """A request that was cancelled is not answered a second time when its handler would end."""
    process = await _offering_cancel(bench)
    sleep = bench.subject.handlers.sleep
    await bench.try_handler(sleep, 0)
    async with _answered_once(bench, process):
        unwanted = await bench.begin(process, sleep, SHORT_SECONDS)
        await asyncio.sleep(BEGINNING_SECONDS)
        await _cancel(process, unwanted.job_ids[0])
        await process.answer(unwanted)
    return ""


async def cancelling_nothing(bench: Bench) -> str:
    """A cancel for a request that it does not have is ignored."""
    process = await _offering_cancel(bench)
    job_id, line = bench.good_request()
    answer = await process.answer(await process.send(line, job_id))
    bench.check_good(answer, "hello")
    for gone in (job_id, "no-such-job"):
        await _cancel(process, gone)
    await bench.succeed(process)
    return ""


async def deadline(bench: Bench) -> str:
    """A request whose deadline comes is answered with timeout, once."""
    process = await bench.introduced()
    sleep = bench.subject.handlers.sleep
    await bench.try_handler(sleep, 0)
    async with _answered_once(bench, process):
        late = await bench.begin(process, sleep, SHORT_SECONDS, deadline=deadline_in(0.2))
        answer = await process.answer(late)
        if answer.outcome.status != "timeout":
            raise AbsentPoint("optional: the worker kills the process of a job that takes too long")
    return answer.outcome.error_message or ""


async def no_early_deadline(bench: Bench) -> str:
    """A request is not stopped before its deadline: its fraction counts, and so does its zone."""
    sleep = bench.subject.handlers.sleep
    await bench.try_handler(sleep, 0)
    # A busy machine may be too late for one, hardly for three.
    for _ in range(3):
        text, seconds = _deadline_with_a_fraction()
        answer = await bench.call(sleep, seconds, deadline=text)
        if answer.outcome.status != "timeout":
            check_status(answer, "success")
            return ""
    raise WrongPoint(
        f"a handler that takes {seconds:.2f} s is stopped before its deadline, {text}: "
        "does its fraction of a second get lost?"
    )


def _deadline_with_a_fraction() -> tuple[str, float]:
    """A deadline, and so many seconds that they end before it, but after its whole second."""
    now = time.time()
    second = int(now) if now % 1 < 0.3 else int(now) + 1
    at = datetime.fromtimestamp(second, UTC).replace(microsecond=950_000)
    return rfc3339(at), max(0.0, second - now) + 0.05


@asynccontextmanager
async def _answered_once(bench: Bench, process: CheckedProcess) -> AsyncIterator[None]:
    """See whether what is answered here is answered again when a short handler would have ended.

    Raises:
        WrongPoint: it is.
    """
    before = len(process.faults)
    yield
    await bench.succeed(process)
    after = await bench.begin(process, bench.subject.handlers.sleep, SHORT_SECONDS)
    await process.answer(after)
    faults = process.faults[before:]
    if again := [fault for fault in faults if "answers a second time" in fault]:
        process.faults = [fault for fault in process.faults if fault not in again]
        raise WrongPoint(again[0])


async def _offering_cancel(bench: Bench) -> CheckedProcess:
    process = await bench.introduced()
    if process.hello is None or "cancel" not in process.hello.features:
        raise AbsentPoint("optional: the worker kills the process of a job that is to be stopped")
    return process


async def _cancel(process: CheckedProcess, job_id: str) -> None:
    await process.send(json.dumps({"type": "cancel", "job_id": job_id}).encode())
