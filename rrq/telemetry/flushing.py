"""The last act of a process: have every backend send what it holds, within a bounded time."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection

from rrq.telemetry.fan_out import FanOut

FLUSH_SECONDS = 2.0
"""The longest that a dead collector can hold up the end of a process."""

_LOOK_SECONDS = 0.01

logger = logging.getLogger("rrq.telemetry")


async def flushed(telemetry: FanOut, within_seconds: float = FLUSH_SECONDS) -> None:
    """Flush all backends at once, each in a thread, and wait for them no longer than this."""
    threads = [
        threading.Thread(
            target=member.guarded,
            args=(member.backend.flush, within_seconds),
            name=f"rrq-telemetry-{member.name}",
            daemon=True,
        )
        for member in telemetry.members
    ]
    for thread in threads:
        thread.start()
    names = [member.name for member in telemetry.members]
    are_dead = [_is_dead(thread) for thread in threads]
    await ended(dict(zip(names, are_dead, strict=True)), within_seconds)


async def ended(
    conditions: dict[str, Callable[[], bool]], within_seconds: float
) -> Collection[str]:
    """Wait until all are true, no longer than this; those of the names that are not are logged."""
    deadline = time.monotonic() + within_seconds
    left = list(conditions)
    while left := [name for name in left if not conditions[name]()]:
        if time.monotonic() > deadline:
            logger.warning(
                "Telemetry %s could not send everything within %.3g s",
                " and ".join(left),
                within_seconds,
            )
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return left


def _is_dead(thread: threading.Thread) -> Callable[[], bool]:
    return lambda: not thread.is_alive()
