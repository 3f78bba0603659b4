"""The handlers of the fault tests, good and bad, and the settings object of their executors.

Each that comes to its end answers with its lease token, so that a test sees whose outcome won.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rrq.exc import RetryJob
from rrq.executor_settings import PythonExecutorSettings
from rrq.registry import JobRegistry
from tests.faults.ledger import record

Context = dict[str, Any]

FAKE_OUTCOME = '{"job_id": "nobody", "status": "success", "result": 1}'


@asynccontextmanager
async def _run(ctx: Context) -> AsyncIterator[None]:
    record("start", ctx["job_id"], ctx["job_try"], ctx["lease_token"])
    yield
    record("end", ctx["job_id"], ctx["job_try"], ctx["lease_token"])


async def quick(ctx: Context, *_: Any) -> int:
    async with _run(ctx):
        return ctx["lease_token"]


async def sleeping(ctx: Context, seconds: float) -> int:
    async with _run(ctx):
        await asyncio.sleep(seconds)
        return ctx["lease_token"]


async def printing(ctx: Context) -> int:
    async with _run(ctx):
        print(FAKE_OUTCOME)
        sys.stdout.write("and half a line")
        sys.stdout.flush()
        return ctx["lease_token"]


async def writing_to_fd_1(ctx: Context) -> int:
    async with _run(ctx):
        os.write(1, f"{FAKE_OUTCOME}\nno JSON at all\n".encode())
        return ctx["lease_token"]


async def blocking(ctx: Context, seconds: float) -> int:
    async with _run(ctx):
        time.sleep(seconds)  # noqa: ASYNC251 - the fault that it is here for
        return ctx["lease_token"]


async def stubborn(ctx: Context, seconds: float) -> int:
    """Ignores that it is cancelled."""
    async with _run(ctx):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue
        return ctx["lease_token"]


async def exiting(ctx: Context) -> None:
    async with _run(ctx):
        raise SystemExit(3)


async def answering_no_json(ctx: Context) -> object:
    async with _run(ctx):
        return object()


async def killing(ctx: Context) -> None:
    """Kills the process that it runs in, every time."""
    async with _run(ctx):
        os.kill(os.getpid(), signal.SIGKILL)


async def failing(ctx: Context) -> None:
    async with _run(ctx):
        raise ValueError("it fails every time")


async def retrying(ctx: Context, times: int) -> int:
    """Asks for another attempt so many times, then succeeds."""
    async with _run(ctx):
        if ctx["job_try"] <= times:
            raise RetryJob("not yet", defer_seconds=0.05)
        return ctx["lease_token"]


def plain(ctx: Context, seconds: float) -> int:
    """A plain function, which runs in a thread."""
    record("start", ctx["job_id"], ctx["job_try"], ctx["lease_token"])
    time.sleep(seconds)
    record("end", ctx["job_id"], ctx["job_try"], ctx["lease_token"])
    return ctx["lease_token"]


def _born() -> None:
    record("born")


registry = JobRegistry()
for _handler in (
    quick,
    sleeping,
    printing,
    writing_to_fd_1,
    blocking,
    stubborn,
    exiting,
    answering_no_json,
    killing,
    failing,
    retrying,
    plain,
):
    registry.register(_handler.__name__, _handler)

settings = PythonExecutorSettings(job_registry=registry, on_startup=_born)
