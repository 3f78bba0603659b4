"""Handlers of the worker processes of these tests."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from rrq import JobRegistry, PythonExecutorSettings
from rrq.exc import RetryJob
from rrq.settings import RRQSettings


async def echo(ctx: dict[str, Any], value: Any) -> Any:
    """Give back what came."""
    return value


async def fail(ctx: dict[str, Any], text: str) -> None:
    """Fail with this text."""
    raise ValueError(text)


async def again(ctx: dict[str, Any]) -> str:
    """Ask for one more attempt, then succeed."""
    if ctx["job_try"] == 1:
        raise RetryJob("once more", defer_seconds=0.05)
    return "done"


async def sleep(ctx: dict[str, Any]) -> None:
    """Run until stopped, and say how far it is."""
    ctx.progress(1, 2, "half")  # type: ignore[attr-defined]  # a method of the runtime's context
    await asyncio.sleep(60)


async def say(ctx: dict[str, Any], text: str) -> None:
    """Print a text on stderr."""
    print(text, file=sys.stderr, flush=True)


registry = JobRegistry()
for handler in (echo, fail, again, sleep, say):
    registry.register(handler.__name__, handler)

settings = PythonExecutorSettings(rrq_settings=RRQSettings(), job_registry=registry)
