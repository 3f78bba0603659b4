"""Two releases of one handler, for the `rrq.toml` beside it."""

from __future__ import annotations

from typing import Any

from rrq import JobRegistry, PythonExecutorSettings


def release(name: str) -> PythonExecutorSettings:
    """The settings of an executor that has this release."""

    async def send_email(ctx: Any, address: str) -> str:
        return name

    registry = JobRegistry()
    registry.register("send_email", send_email)
    return PythonExecutorSettings(job_registry=registry)


stable = release("stable")
next_release = release("next")
