"""Points about several requests, about time, and about the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rrq.conformance.executor_answer import AbsentPoint, WrongPoint
from rrq.conformance.executor_bench import Bench, check_status, deadline_in
from rrq.conformance.executor_process import CheckedProcess
from rrq.conformance.report import shown
from rrq.protocol import PROTOCOL_FEATURES
from rrq.wording import counted

MOST_AT_ONCE = 16
MANY = 100

BIG = 6
BIG_CHARACTERS = 256 * 1024
"""More than a pipe takes at once, so that lines are mixed if nothing keeps them apart."""

ELSEWHERE = {"LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Kiritimati"}
"""An environment as a service manager has it, in a zone whose clocks are far from UTC."""


async def hello(bench: Bench) -> str:
    """It says what it can do."""
    said = (await bench.introduced()).hello
    if said is None:
        raise AbsentPoint("optional: it is a plain executor of version 1, one request at a time")
    runs = bench.subject.function or bench.subject.handlers.echo
    if said.functions is not None and runs not in said.functions:
        raise WrongPoint(f"it runs `{runs}`, but `functions` does not list it: {said.functions}")
    parts = [
        f"features {', '.join(said.features) or 'none'}",
        f"max_in_flight {said.max_in_flight or 'not said'}",
        counted(len(said.functions), "function") if said.functions is not None else "",
        said.runtime or "",
    ]
    return "; ".join(filter(None, parts))


async def without_features(bench: Bench) -> str:
    """It says nothing but outcomes to a worker that knows nothing else."""
    async with _own_process(bench, features=None) as process:
        await bench.succeed(process)
        # It need not have this handler; any answer will do.
        await process.answer(
            await bench.begin(process, bench.subject.handlers.report, 1, 10, "rows")
        )
        bench.blame(process, "though nobody told it to")
    return ""


async def elsewhere(bench: Bench) -> str:
    """Neither text nor times depend on the locale and time zone that it is started in."""
    word = "\u00e9\u4f60\U0001f600"
    async with _own_process(bench, **ELSEWHERE) as process:
        job_id, line = bench.good_request(word=word)
        line = line.replace(json.dumps(word).encode(), f'"{word}"'.encode())
        bench.check_good(await process.answer(await process.send(line, job_id)), word)
        sleep = bench.subject.handlers.sleep
        in_time = await bench.begin(process, sleep, 0.01, deadline=deadline_in(3600))
        if (await process.answer(in_time)).outcome.status == "timeout":
            raise WrongPoint("its deadline is in an hour: is it taken for local time?")
    return ", ".join(f"{name}={value}" for name, value in ELSEWHERE.items())


async def many_requests(bench: Bench) -> str:
    """Many requests are answered, each with its own outcome, though some are big."""
    window = asyncio.Semaphore(await bench.max_in_flight())

    async def one(word: str) -> None:
        async with window:
            await bench.succeed(word=word)

    words = [f"number {number}" for number in range(MANY)]
    if bench.shape is not None:
        words += [str(number) * BIG_CHARACTERS for number in range(BIG)]
    tasks = [asyncio.ensure_future(one(word)) for word in words]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return f"{len(words)} requests, {await bench.max_in_flight()} at once"


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


async def progress(bench: Bench) -> str:
    """A handler reports its progress."""
    process = await bench.process()
    await bench.try_handler(bench.subject.handlers.report, 1, 10, "rows")
    expectation = await bench.begin(process, bench.subject.handlers.report, 3, 10, "rows")
    answer = await process.answer(expectation)
    if not expectation.progress and process.stray_progress:
        strays = shown(process.stray_progress[-1])
        raise WrongPoint(f"it reports for job {strays}, not for the one that it was asked")
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


@asynccontextmanager
async def _own_process(
    bench: Bench, *, features: str | None = PROTOCOL_FEATURES, **surroundings: str
) -> AsyncIterator[CheckedProcess]:
    """A process for one point alone."""
    process = await bench.fresh(features, **surroundings)
    try:
        yield process
    finally:
        await bench.dismiss(process)
