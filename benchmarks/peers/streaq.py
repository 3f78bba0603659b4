"""streaq: asyncio handlers in the worker process; Redis streams."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from streaq import Worker

from peers import work

worker: Worker[Any] = Worker(
    redis_url=f"{work.REDIS}/0",
    concurrency=int(os.environ.get("BENCH_IN_FLIGHT", 0)) or 32,
    anyio_kwargs={"use_uvloop": True},
    **({"idle_timeout": work.TUNED_SECONDS} if work.IS_TUNED else {}),
)


@worker.task(silent=True)
async def noop() -> int:
    return work.noop()


@worker.task(silent=True)
async def stamp(sent: float) -> int:
    return work.stamp(sent)


@worker.task(silent=True)
async def sleep(seconds: float) -> int:
    return await work.sleep(seconds)


@worker.task(silent=True)
async def mark(number: int, seconds: float) -> int:
    return await work.mark(number, seconds)


HANDLERS = {"noop": noop, "stamp": stamp, "sleep": sleep, "mark": mark}


def commands(needs: work.Needs) -> list[list[str]]:
    return [work.program("streaq", "run", "peers.streaq:worker", "-w", str(needs.processes))]


@asynccontextmanager
async def producer() -> AsyncIterator[work.Producer]:
    async def put(handler: str, *arguments: Any) -> None:
        await HANDLERS[handler].enqueue(*arguments)

    async def put_many(handler: str, many: list[tuple[Any, ...]]) -> None:
        await worker.enqueue_many([HANDLERS[handler].enqueue(*arguments) for arguments in many])

    async with worker:
        yield work.Producer(put, put_many)


PEER = work.Peer(
    title="streaq",
    packages=("streaq", "coredis", "uvloop"),
    settings="`concurrency` 32 for short jobs, `silent` tasks, uvloop",
    reliability="A job is acknowledged in the transaction that stores its result; a worker renews "
    "its claims, others take over those that were idle for `idle_timeout` (60 s). Tuned: 10 s.",
    results="return redis.call('zcard', 'streaq:default:index:results')",
    commands=commands,
    producer=producer,
)
