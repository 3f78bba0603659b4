"""Points about several requests, about time, and about the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rrq.conformance.executor_bench import Bench, check_status, deadline_in
from rrq.conformance.executor_process import AbsentPoint, CheckedProcess, WrongPoint

LONG_SECONDS = 600
"""For what is meant to be stopped."""

MOST_AT_ONCE = 16
MANY = 100


async def hello(bench: Bench) -> str:
    """It says what it can do."""
    said = (await bench.introduced()).hello
    if said is None:
        raise AbsentPoint("optional: it is a plain executor of version 1, one request at a time")
    parts = [
        f"features {', '.join(said.features) or 'none'}",
        f"max_in_flight {said.max_in_flight or 'not said'}",
        f"{len(said.functions)} functions" if said.functions is not None else "",
        said.runtime or "",
    ]
    return "; ".join(filter(None, parts))


async def without_features(bench: Bench) -> str:
    """It says no hello to a worker that knows none."""
    async with _own_process(bench, features=None) as process:
        await bench.succeed(process)
        bench.blame(process, "hello")
    return ""


async def many_requests(bench: Bench) -> str:
    """Many requests are answered, each with its own outcome."""
    window = asyncio.Semaphore(await bench.max_in_flight())

    async def one(number: int) -> None:
        async with window:
            await bench.succeed(word=f"number {number}")

    tasks = [asyncio.ensure_future(one(number)) for number in range(MANY)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return f"{MANY} requests, {await bench.max_in_flight()} at once"


async def at_once(bench: Bench) -> str:
    """It carries out as many requests at once as it said, and a short one overtakes long ones."""
    at_once = min(await bench.max_in_flight(), MOST_AT_ONCE)
    if at_once < 2:
        raise AbsentPoint("optional: it takes one request at a time")
    sleep = bench.subject.handlers.sleep
    await bench.try_handler(sleep, 0)
    # A busy machine may need longer to begin so many.
    for seconds in (0.3, 3.0):
        process = await bench.process()
        long = [await bench.begin(process, sleep, seconds) for _ in range(at_once - 1)]
        short = asyncio.create_task(bench.succeed(process))
        waits: list[asyncio.Future[Any]] = [short, *(one.answer for one in long)]
        try:
            await asyncio.wait(
                waits,
                timeout=bench.subject.limit_seconds + seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not any(one.answer.done() for one in long):
                await short
                for one in long:
                    check_status(await process.answer(one), "success")
                return f"{at_once} at once"
        finally:
            short.cancel()
            await asyncio.wait([short])
        await bench.replace()
    raise WrongPoint(f"{at_once - 1} long requests hold up a short one: they do not run at once")


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
    """A request whose deadline comes is answered with timeout."""
    sleep = bench.subject.handlers.sleep
    answer = await bench.try_handler(sleep, 0.6, deadline=deadline_in(0.2))
    if answer.outcome.status != "timeout":
        raise AbsentPoint("optional: the worker kills the process of a job that takes too long")
    return answer.outcome.error_message or ""


async def progress(bench: Bench) -> str:
    """A handler reports its progress."""
    process = await bench.process()
    await bench.try_handler(bench.subject.handlers.report, 1, 10, "rows")
    expectation = await bench.begin(process, bench.subject.handlers.report, 3, 10, "rows")
    answer = await process.answer(expectation)
    if not expectation.progress:
        raise AbsentPoint(f"optional: its `{bench.subject.handlers.report}` reports nothing")
    check_status(answer, "success")
    last = expectation.progress[-1]
    if (last.current, last.total, last.message) != (3, 10, "rows"):
        raise WrongPoint(f"it reports {last.current}, {last.total}, {json.dumps(last.message)}")
    return ""


async def end_when_idle(bench: Bench) -> str:
    """At the end of stdin it ends."""
    process = await bench.process()
    await bench.succeed(process)
    return f"with status {await process.close_stdin()}"


async def end_under_way(bench: Bench) -> str:
    """At the end of stdin it ends, with a request under way, too."""
    async with _own_process(bench) as process:
        await bench.succeed(process)
        under_way = await bench.begin(process, bench.subject.handlers.sleep, 0.2)
        status = await process.close_stdin()
        what = "answered" if under_way.answer.done() else "dropped"
    return f"with status {status}; the request is {what}"


async def end_within_a_line(bench: Bench) -> str:
    """When stdin ends within a line, it ends."""
    async with _own_process(bench) as process:
        await bench.succeed(process)
        _, line = bench.good_request()
        before = len(process.faults)
        await process.write(line[: len(line) // 2])
        try:
            status = await process.close_stdin()
        finally:
            # It may answer the half line, or not.
            del process.faults[before:]
    return f"with status {status}"


async def _offering_cancel(bench: Bench) -> CheckedProcess:
    process = await bench.introduced()
    if process.hello is None or "cancel" not in process.hello.features:
        raise AbsentPoint("optional: the worker kills the process of a job that is to be stopped")
    return process


async def _cancel(process: CheckedProcess, job_id: str) -> None:
    await process.send(json.dumps({"type": "cancel", "job_id": job_id}).encode())


@asynccontextmanager
async def _own_process(bench: Bench, **how: None) -> AsyncIterator[CheckedProcess]:
    """A process for one point alone."""
    process = await bench.fresh(**how)
    try:
        yield process
    finally:
        await bench.dismiss(process)
