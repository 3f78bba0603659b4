"""What the worker runs."""

from __future__ import annotations

from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


async def send_receipt(ctx: Any, order: str) -> str:
    return f"receipt for {order}"


registry = JobRegistry()
registry.register("send_receipt", send_receipt)
settings = PythonExecutorSettings(job_registry=registry)
