"""What the worker runs."""

from __future__ import annotations

import asyncio
from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


async def sync_account(ctx: Any, account: str) -> str:
    await asyncio.sleep(0.3)  # as if a service had to be asked
    return f"{account} is in step"


async def save_draft(ctx: Any, text: str) -> str:
    return f"saved: {text}"


registry = JobRegistry()
for handler in (sync_account, save_draft):
    registry.register(handler.__name__, handler)
settings = PythonExecutorSettings(job_registry=registry)
