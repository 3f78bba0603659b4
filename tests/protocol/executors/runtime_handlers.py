"""The handlers of the check, for RRQ's own Python runtime."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from rrq.exc import RetryJob
from rrq.executor_settings import PythonExecutorSettings
from rrq.registry import JobRegistry


async def echo(ctx: Any, *args: Any, **kwargs: Any) -> Any:
    return {"args": args, "kwargs": kwargs}


async def sleep(ctx: Any, seconds: float) -> None:
    await asyncio.sleep(seconds)


def fail(ctx: Any, message: str) -> None:
    raise ValueError(message)


async def retry(ctx: Any, seconds: float) -> None:
    raise RetryJob("not yet", seconds)


def report(ctx: Any, current: int, total: int, message: str) -> None:
    ctx.progress(current, total, message)


def say(ctx: Any, text: str) -> None:
    print(text)
    subprocess.run(["echo", text], check=True)


registry = JobRegistry()
for name, handler in {
    "echo": echo,
    "sleep": sleep,
    "fail": fail,
    "retry": retry,
    "report": report,
    "print": say,
}.items():
    registry.register(name, handler)

settings = PythonExecutorSettings(job_registry=registry)
