"""SAQ: asyncio handlers in the worker process; a list, a job's JSON in one key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from saq import Queue

from peers import work

uvloop.install()
queue = Queue.from_url(f"{work.REDIS}/0")


async def noop(ctx: Any) -> int:
    return work.noop()


async def stamp(ctx: Any, *, sent: float) -> int:
    return work.stamp(sent)


async def sleep(ctx: Any, *, seconds: float) -> int:
    return await work.sleep(seconds)


async def mark(ctx: Any, *, number: int, seconds: float) -> int:
    return await work.mark(number, seconds)


settings = {
    "queue": queue,
    "functions": [noop, stamp, sleep, mark],
    "concurrency": int(work.os.environ.get("BENCH_IN_FLIGHT", 0)) or 32,
    **({"timers": {"sweep": 5}} if work.IS_TUNED else {}),
}


def commands(needs: work.Needs) -> list[list[str]]:
    return [work.program("saq", "peers.saq.settings", "--workers", str(needs.processes))]


@asynccontextmanager
async def producer() -> AsyncIterator[work.Producer]:
    await queue.connect()
    options: dict[str, Any] = {"retries": 3, "timeout": work.TUNED_SECONDS} if work.IS_TUNED else {}

    async def put(handler: str, *arguments: Any) -> None:
        named = dict(zip(work.ARGUMENTS[handler], arguments, strict=True))
        await queue.enqueue(handler, **named, **options)

    yield work.Producer(put)
    await queue.disconnect()


PEER = work.Peer(
    title="SAQ",
    packages=("saq", "redis", "hiredis", "uvloop"),
    settings="concurrency 32 for short jobs, uvloop and hiredis",
    reliability="A job stays in the active list until its result is stored; a sweep takes those "
    "that are over their timeout (10 s). By default a job has one try, so that a swept one is "
    "aborted. Tuned: `retries=3`, a sweep every 5 s instead of 60.",
    results="return redis.call('zcard', 'saq:default:incomplete')",
    counts_left=True,
    commands=commands,
    producer=producer,
)
