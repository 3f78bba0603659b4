"""What the worker runs: `rrq.toml` names `settings`."""

from __future__ import annotations

from typing import Any

from rrq import JobRegistry, PythonExecutorSettings
from rrq.exc import RetryJob


async def send_email(ctx: Any, address: str, subject: str) -> str:
    """Pretend to send, and have to try again the first time somebody asks for Bob."""
    if address.startswith("bob@") and ctx["job_try"] == 1:
        raise RetryJob("the mail server is busy", defer_seconds=0.1)
    return f"{subject} for {address}"


def count_words(ctx: Any, text: str) -> int:
    """A plain function runs in a thread."""
    return len(text.split())


registry = JobRegistry()
for handler in (send_email, count_words):
    registry.register(handler.__name__, handler)
settings = PythonExecutorSettings(job_registry=registry)
