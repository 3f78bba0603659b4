"""The handlers that `TransportContract` asks for, and two ways to start badly."""

# What these handlers wait for is done by another process, a file is its sign.
# ruff: noqa: ASYNC110

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


async def echo(ctx: Any, *args: Any, **kwargs: Any) -> Any:
    return {"args": args, "kwargs": kwargs}


async def context(ctx: Any) -> Any:
    same = ("job_id", "queue_name", "trace_context", "worker_id", "lease_token")
    times = {name: ctx[name].isoformat() for name in ("enqueue_time", "deadline")}
    return {name: ctx[name] for name in same} | times | {"attempt": ctx["job_try"]}


async def pid(ctx: Any) -> int:
    return os.getpid()


async def fail(ctx: Any, message: str) -> None:
    raise ValueError(message)


async def hold(ctx: Any, folder: str, name: str) -> None:
    try:
        await _wait(Path(folder), name)
    except asyncio.CancelledError:
        (Path(folder) / f"{name}.stopped").touch()
        raise


async def cling(ctx: Any, folder: str, name: str) -> None:
    while True:
        try:
            await _wait(Path(folder), name)
        except asyncio.CancelledError:
            continue
        return


async def die(ctx: Any, status: int) -> None:
    os._exit(status)


async def flood(ctx: Any, count: int) -> None:
    print("x" * count)


async def report(ctx: Any, current: float, total: float, message: str) -> None:
    ctx.progress(current, total, message)


async def _wait(folder: Path, name: str) -> None:
    (folder / f"{name}.began").write_text(str(os.getpid()))
    while not (folder / f"{name}.release").exists():
        await asyncio.sleep(0.01)


def start_failing() -> None:
    print("no database is there", file=sys.stderr)
    sys.exit(1)


def start_slow() -> None:
    time.sleep(2)


job_registry = JobRegistry()
for _handler in (echo, context, pid, fail, hold, cling, die, flood, report):
    job_registry.register(_handler.__name__, _handler)

normal = PythonExecutorSettings(job_registry=job_registry)
failing = PythonExecutorSettings(job_registry=job_registry, on_startup=start_failing)
slow = PythonExecutorSettings(job_registry=job_registry, on_startup=start_slow)
