"""A handler that does nothing, so that only RRQ is measured."""

from __future__ import annotations

from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


async def nothing(ctx: Any, number: int) -> int:
    return number


registry = JobRegistry()
registry.register("nothing", nothing)
settings = PythonExecutorSettings(job_registry=registry)
