"""Whether a worker lives, and whether it can take work, judged from its last measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rrq.telemetry import WorkerGauges

SILENT_SECONDS = 30.0
"""A worker measures itself every five seconds: one that has not for so long hangs."""

STARTING_SECONDS = 120.0
"""Executors may take their time to come up."""


def why_not_alive(gauges: WorkerGauges | None, now_ns: int, age_seconds: float) -> str | None:
    """What is wrong with the process; None if it lives.

    Args:
        gauges: the last measurement, None before the first.
        now_ns: nanoseconds since the epoch.
        age_seconds: for how long the process has been there.
    """
    if gauges is None:
        if age_seconds > STARTING_SECONDS:
            return f"the worker has not come up within {age_seconds:.0f} s"
        return None
    silent_seconds = (now_ns - gauges.measured_ns) / 1e9
    if silent_seconds > SILENT_SECONDS:
        return f"the worker has been silent for {silent_seconds:.0f} s"
    return None


def why_not_ready(gauges: WorkerGauges | None, within_seconds: float) -> str | None:
    """Why a worker that lives cannot take work now; None if it can."""
    if gauges is None:
        return "the worker is starting"
    if gauges.status in ("initializing", "stopping", "stopped"):
        return f"the worker is {gauges.status}"
    if gauges.status.startswith("stuck"):
        return f"the worker is {gauges.status}"
    if not gauges.is_redis_up:
        return "Redis does not answer"
    down = [name for name, one in gauges.executors.items() if one.capacity <= 0]
    if down:
        return f"no process of executor {', '.join(down)} is up"
    # One that is full claims nothing, and is well.
    is_full = gauges.in_flight >= gauges.capacity
    if not is_full and gauges.last_claim_age_seconds > within_seconds:
        return f"nothing was claimed for {gauges.last_claim_age_seconds:.0f} s"
    return None
