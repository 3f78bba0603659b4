"""What the executor in Python runs; those in the other languages have the same two handlers."""

from __future__ import annotations

from typing import Any

from spans import span

from rrq import JobRegistry, PythonExecutorSettings


async def greet(ctx: Any, name: str) -> dict[str, str]:
    """Greet somebody, and say in which language."""
    with span("compose greeting"):
        return {"greeting": f"Hello {name}", "language": "Python"}


async def refuse(ctx: Any, reason: str) -> None:
    """Fail for this reason."""
    raise ValueError(reason)


registry = JobRegistry()
registry.register("greet", greet)
registry.register("refuse", refuse)
settings = PythonExecutorSettings(job_registry=registry)
