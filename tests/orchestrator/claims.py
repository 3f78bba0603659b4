"""Claims for tests of the pure stages."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from rrq.store.claim import Claim


def a_claim(**changes: Any) -> Claim:
    """A claim of a first attempt of three, with these fields changed."""
    fields: dict[str, Any] = {
        "job_id": "job-1",
        "token": 7,
        "queue": "default",
        "due_ms": 1_000.0,
        "claimed_ms": 5_000.0,
        "function_name": "send_email",
        "args": Raw(b"[]"),
        "kwargs": Raw(b"{}"),
        "enqueue_time": "2026-01-01T00:00:00Z",
        "queue_name": "default",
        "attempt": 1,
        "max_retries": 3,
        "timeout_seconds": 1.0,
    }
    return Claim(**{**fields, **changes})
