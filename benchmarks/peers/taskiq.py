"""taskiq with the Redis streams broker and the Redis result backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from peers import work

uvloop.install()
TUNED: dict[str, Any] = {
    "idle_timeout": work.TUNED_SECONDS * 1000,
    "unacknowledged_lock_timeout": work.TUNED_SECONDS,
}
broker = RedisStreamBroker(
    f"{work.REDIS}/0", **(TUNED if work.IS_TUNED else {})
).with_result_backend(RedisAsyncResultBackend(f"{work.REDIS}/1", result_ex_time=3600))


@broker.task
async def noop() -> int:
    return work.noop()


@broker.task
async def stamp(sent: float) -> int:
    return work.stamp(sent)


@broker.task
async def sleep(seconds: float) -> int:
    return await work.sleep(seconds)


@broker.task
async def mark(number: int, seconds: float) -> int:
    return await work.mark(number, seconds)


HANDLERS = {"noop": noop, "stamp": stamp, "sleep": sleep, "mark": mark}


def commands(needs: work.Needs) -> list[list[str]]:
    return [
        work.program(
            "taskiq",
            *("worker", "peers.taskiq:broker", "--workers", str(needs.processes)),
            *("--max-async-tasks", str(needs.in_flight or 100)),
            *("--log-level", "WARNING", "--no-parse"),
        )
    ]


@asynccontextmanager
async def producer() -> AsyncIterator[work.Producer]:
    await broker.startup()

    async def put(handler: str, *arguments: Any) -> None:
        await HANDLERS[handler].kiq(*arguments)

    yield work.Producer(put)
    await broker.shutdown()


PEER = work.Peer(
    title="taskiq",
    packages=("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop"),
    settings="`RedisStreamBroker`, `RedisAsyncResultBackend`, `taskiq worker` with "
    "100 tasks at once and without parsing, "
    "uvloop and hiredis; acknowledged when the result is saved, the default",
    reliability="Messages that were pending for `idle_timeout` (600 s) are claimed by a worker, "
    "but only after a new message has come; nothing renews them meanwhile, so it must exceed the "
    "longest job. Tuned: 10 s, and `unacknowledged_lock_timeout` 10 s.",
    results="return redis.call('dbsize')",
    results_database=1,
    commands=commands,
    producer=producer,
)
