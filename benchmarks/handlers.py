"""What the benchmarks' executor runs."""

from __future__ import annotations

import asyncio
from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


async def noop(ctx: dict[str, Any], *args: Any) -> None:
    """Do nothing."""


async def sleep(ctx: dict[str, Any], seconds: float) -> None:
    """Wait, as a handler does that calls another service."""
    await asyncio.sleep(seconds)


registry = JobRegistry()
registry.register("noop", noop)
registry.register("sleep", sleep)
settings = PythonExecutorSettings(job_registry=registry)
