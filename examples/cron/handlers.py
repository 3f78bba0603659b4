"""What the schedule runs."""

from __future__ import annotations

from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


async def send_report(ctx: Any, recipient: str, *, days: int) -> str:
    return f"{days} days for {recipient}"


registry = JobRegistry()
registry.register("send_report", send_report)
settings = PythonExecutorSettings(job_registry=registry)
