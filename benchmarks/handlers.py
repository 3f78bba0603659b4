"""What the benchmarks' executor runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


async def noop(ctx: dict[str, Any], *args: Any) -> None:
    """Do nothing."""


async def sleep(ctx: dict[str, Any], seconds: float) -> None:
    """Wait, as a handler does that calls another service."""
    await asyncio.sleep(seconds)


async def busy(ctx: dict[str, Any], seconds: float) -> None:
    """Use the processor for that long."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def echo(ctx: dict[str, Any], text: str) -> str:
    """Give the argument back."""
    return text


async def mark(ctx: dict[str, Any], ledger: str, seconds: float) -> None:
    """Note that the job started, then wait."""
    with Path(ledger).open("a") as file:  # noqa: ASYNC230 - a line takes no time
        file.write(f"{ctx['job_id']} {time.time()}\n")
    await asyncio.sleep(seconds)


registry = JobRegistry()
registry.register("noop", noop)
registry.register("sleep", sleep)
registry.register("busy", busy)
registry.register("echo", echo)
registry.register("mark", mark)
settings = PythonExecutorSettings(job_registry=registry)
