"""`JobContext`: the dictionary that every handler gets as its first argument.

Its `progress` method tells how far the job is; `ProgressReporter` sees to it that a handler
may call it in a tight loop, from any thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, SupportsFloat

from rrq.protocol import Progress
from rrq_executor_python.failure import printable

REPORT_INTERVAL_SECONDS = 0.1
"""The shortest time between two progress lines of one job."""

MESSAGE_LIMIT_BYTES = 1024


class JobContext(dict[str, Any]):
    """What a handler is told about its job.

    Keys: `job_id`, `job_try` (from 1), `enqueue_time` and `deadline` (datetimes in UTC; the
    deadline may be None), `queue_name`, `worker_id`, `trace_context` (a dictionary or None),
    `lease_token` (grows with every lease of the job), `settings` (RRQSettings) and
    `rrq_client` (an RRQClient that connects when it is first used).
    """

    __slots__ = ("_reporter",)

    def report_to(self, reporter: ProgressReporter) -> None:
        """Send this job's progress to `reporter`; without one, progress is dropped."""
        self._reporter = reporter

    def progress(
        self,
        current: SupportsFloat | None = None,
        total: SupportsFloat | None = None,
        message: str | None = None,
    ) -> None:
        """Tell how far the job is; may be called as often as one likes, from any thread.

        Args:
            current: how much is done, in any unit.
            total: how much there is, in the same unit.
            message: one line for people; its first KiB is kept.

        Raises:
            TypeError: `current` or `total` is no number, or `message` is no text.
            ValueError: a number is not finite.
        """
        if message is not None and not isinstance(message, str):
            raise TypeError(f"`message` is a {type(message).__name__}, it must be text")
        report = Progress(
            job_id=self["job_id"],
            current=_finite("current", current),
            total=_finite("total", total),
            message=None if message is None else printable(message, MESSAGE_LIMIT_BYTES),
        )
        reporter = getattr(self, "_reporter", None)
        if reporter is not None:
            reporter.report(report)


class ProgressReporter:
    """Passes on the latest progress of one job, at most one every `REPORT_INTERVAL_SECONDS`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[Progress], None]) -> None:
        self._loop = loop
        self._send = send
        self._lock = Lock()
        self._latest: Progress | None = None
        self._wake_up_pending = False
        self._closed = False
        self._next_at = 0.0

    def report(self, progress: Progress) -> None:
        """Pass on `progress`, now or when the interval is over; from any thread."""
        with self._lock:
            if self._closed:
                return
            self._latest = progress
            if self._wake_up_pending:
                return
            self._wake_up_pending = True
        try:
            self._loop.call_soon_threadsafe(self._send_or_wait)
        except RuntimeError:  # The loop is closed: a thread outlived the runtime.
            self._closed = True

    def close(self, *, discard: bool) -> None:
        """The job has ended: pass on what is left, or discard it."""
        with self._lock:
            self._closed = True
            latest, self._latest = self._latest, None
        if latest is not None and not discard:
            self._send(latest)

    def _send_or_wait(self) -> None:
        wait_seconds = self._next_at - time.monotonic()
        if wait_seconds > 0:
            self._loop.call_later(wait_seconds, self._send_latest)
        else:
            self._send_latest()

    def _send_latest(self) -> None:
        with self._lock:
            latest, self._latest = self._latest, None
            self._wake_up_pending = False
        if latest is not None:
            self._next_at = time.monotonic() + REPORT_INTERVAL_SECONDS
            self._send(latest)


def _finite(name: str, value: SupportsFloat | None) -> float | None:
    if value is None:
        return None
    try:
        number = value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` is {value!r}, it must be a number") from None
    if not math.isfinite(number):
        raise ValueError(f"`{name}` is {number}, it must be finite")
    return number
