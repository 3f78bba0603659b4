"""`Relay`: brings to one backend what the event loop noted for it, in a thread of its own.

The loop only appends to a deque; a backend that hangs stops nothing but its own thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rrq.telemetry.fan_out import Member

MOST_WAITING = 10_000
"""Calls that may wait for a backend; further ones are dropped and counted."""

LOOK_EVERY_SECONDS = 0.1
"""How often the thread looks: waking it for each job would cost the loop more than the job."""

HOLD_SECONDS = 0.0005
"""After these the thread lets the event loop have the interpreter for a moment."""

logger = logging.getLogger("rrq.telemetry")


class Relay:
    """One backend's queue and thread. The thread begins with the first call.

    Attributes:
        dropped: calls that were dropped, as the backend was too slow.
    """

    def __init__(self, member: Member) -> None:
        self.dropped = 0
        self._member = member
        self._waiting: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._ending = threading.Event()
        self._has_ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._flush_until = 0.0

    def call(self, method: Callable[..., Any], *arguments: Any) -> None:
        """Have the thread call this, after everything before it."""
        waiting = self._waiting
        if len(waiting) >= MOST_WAITING:
            self._drop()
            return
        waiting.append((method, arguments))
        if self._thread is None:
            self._start()

    def end(self, within_seconds: float) -> None:
        """Let the thread bring what waits and flush the backend, and then end; returns at once."""
        self._flush_until = time.monotonic() + within_seconds
        self._ending.set()
        if self._thread is None:
            self._start()

    def is_done(self) -> bool:
        """Whether everything was brought, and flushed."""
        return self._has_ended.is_set()

    def _start(self) -> None:
        # A daemon: a backend that hangs must not keep the process.
        self._thread = threading.Thread(
            target=self._run, name=f"rrq-telemetry-{self._member.name}", daemon=True
        )
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(LOOK_EVERY_SECONDS):
            self._bring()
        self._bring()
        left_seconds = max(0.0, self._flush_until - time.monotonic())
        self._member.guarded(self._member.backend.flush, left_seconds)
        self._has_ended.set()

    def _bring(self) -> None:
        waiting, guarded = self._waiting, self._member.guarded
        hold_until = time.monotonic() + HOLD_SECONDS
        while waiting:
            method, arguments = waiting.popleft()
            guarded(method, *arguments)
            if time.monotonic() > hold_until:
                time.sleep(0)
                hold_until = time.monotonic() + HOLD_SECONDS

    def _drop(self) -> None:
        if not self.dropped:
            logger.warning(
                "Telemetry %s does not keep up: %d calls wait, further ones are dropped",
                self._member.name,
                MOST_WAITING,
            )
        self.dropped += 1
