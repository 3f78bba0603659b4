"""RRQ: an orchestrator process, and handlers in executor processes of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from peers import work
from rrq import JobRegistry, JobRequest, PythonExecutorSettings, RRQClient, RRQSettings

# The worker and its executors find uvloop by themselves.
uvloop.install()
DSN = f"{work.REDIS}/0"


async def noop(ctx: Any) -> int:
    return work.noop()


async def stamp(ctx: Any, sent: float) -> int:
    return work.stamp(sent)


async def sleep(ctx: Any, seconds: float) -> int:
    return await work.sleep(seconds)


async def mark(ctx: Any, number: int, seconds: float) -> int:
    return await work.mark(number, seconds)


registry = JobRegistry()
for handler in (noop, stamp, sleep, mark):
    registry.register(handler.__name__, handler)
settings = PythonExecutorSettings(job_registry=registry)


def commands(needs: work.Needs) -> list[list[str]]:
    config = Path(tempfile.mkdtemp(prefix="rrq-peer-")) / "rrq.toml"
    config.write_text(
        f'redis_dsn = "{DSN}"\n'
        "[executors.python]\n"
        'type = "python"\n'
        'settings = "peers.rrq:settings"\n'
        f'cwd = "{os.getcwd()}"\n'  # noqa: PTH109 - a string is wanted
        f"pool_size = {needs.processes}\n"
        f"max_in_flight = {needs.in_flight or (32 if needs.processes == 1 else 100)}\n"
    )
    return [work.program("rrq", "worker", "run", "--config", str(config), "--log-level", "warning")]


@asynccontextmanager
async def producer() -> AsyncIterator[work.Producer]:
    async with RRQClient(RRQSettings(redis_dsn=DSN)) as client:

        async def put(handler: str, *arguments: Any) -> None:
            await client.enqueue(handler, *arguments)

        async def put_many(handler: str, many: list[tuple[Any, ...]]) -> None:
            await client.enqueue_many(JobRequest(handler, arguments) for arguments in many)

        yield work.Producer(put, put_many)


PEER = work.Peer(
    title="RRQ",
    packages=("rrq", "redis", "hiredis", "uvloop"),
    settings="1 executor process with 32 jobs in flight, 2 with 100 each; uvloop and hiredis; the "
    "orchestrator is one process more",
    reliability="A job is leased for `lease_seconds` (10), which its worker renews; when a lease "
    "runs out, another worker runs the job. Tuned: nothing, these are the defaults.",
    results="return redis.call('zcard', 'rrq:queue:default') + redis.call('zcard', 'rrq:leases')",
    counts_left=True,
    commands=commands,
    producer=producer,
)
