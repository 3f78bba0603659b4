"""arq: asyncio handlers in the worker process; a sorted set that is polled."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from arq import create_pool
from arq.connections import RedisSettings

from peers import work

uvloop.install()
REDIS_SETTINGS = RedisSettings.from_dsn(f"{work.REDIS}/0")


async def noop(ctx: Any) -> int:
    return work.noop()


async def stamp(ctx: Any, sent: float) -> int:
    return work.stamp(sent)


async def sleep(ctx: Any, seconds: float) -> int:
    return await work.sleep(seconds)


async def mark(ctx: Any, number: int, seconds: float) -> int:
    return await work.mark(number, seconds)


class WorkerSettings:
    """What the `arq` command reads."""

    functions = [noop, stamp, sleep, mark]  # noqa: RUF012 - arq wants a list
    redis_settings = REDIS_SETTINGS
    max_jobs = int(os.environ.get("BENCH_IN_FLIGHT", 0)) or 32
    poll_delay = 0.01
    log_results = False
    job_timeout = work.TUNED_SECONDS if work.IS_TUNED else 300


QUIET = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}


def commands(needs: work.Needs) -> list[list[str]]:
    command = work.program(
        "arq", "peers.arq.WorkerSettings", "--custom-log-dict", "peers.arq.QUIET"
    )
    return [command] * needs.processes


@asynccontextmanager
async def producer() -> AsyncIterator[work.Producer]:
    pool = await create_pool(REDIS_SETTINGS)

    async def put(handler: str, *arguments: Any) -> None:
        await pool.enqueue_job(handler, *arguments)

    yield work.Producer(put)
    await pool.aclose()


PEER = work.Peer(
    title="arq",
    packages=("arq", "redis", "hiredis", "uvloop"),
    settings="`max_jobs` 32 for short jobs, `poll_delay` 0.01 s instead of 0.5, uvloop and hiredis",
    reliability="A job stays in the queue until its result is stored; a mark keeps others from "
    "it for `job_timeout` (300 s) and 10 s more. Tuned: `job_timeout` 10 s.",
    results="return redis.call('zcard', 'arq:queue')",
    counts_left=True,
    commands=commands,
    producer=producer,
)
