"""Tracing and metrics: the contract of a backend (`Telemetry`), and the fan-out to all of them.

Several backends work at once. None can break or block a job: what one raises is logged once a
kind and swallowed, and one that is slow is passed over. With none active, `get_telemetry()` is
None and the callers do nothing at all. `docs/guide/telemetry.md` has a backend to copy from.
"""

from rrq.telemetry.activation import configure, disable, get_telemetry, producer_telemetry
from rrq.telemetry.contract import (
    Attempt,
    EnqueuedJob,
    ExecutorGauges,
    FinishedJob,
    Outcome,
    QueueGauges,
    Role,
    RunningJob,
    Scalar,
    StartedJob,
    StopReason,
    Telemetry,
    WorkerGauges,
)
from rrq.telemetry.fan_out import FanOut

__all__ = [
    "Attempt",
    "EnqueuedJob",
    "ExecutorGauges",
    "FanOut",
    "FinishedJob",
    "Outcome",
    "QueueGauges",
    "Role",
    "RunningJob",
    "Scalar",
    "StartedJob",
    "StopReason",
    "Telemetry",
    "WorkerGauges",
    "configure",
    "disable",
    "get_telemetry",
    "producer_telemetry",
]
