"""What `[rrq.executors.NAME]` may hold for a transport that runs processes.

`PoolConfig` is all but the command line, for transports that fill it in; `StdioConfig` is the
table of `type = "stdio"`.
"""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rrq.protocol import MAX_MESSAGE_BYTES


def available_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class PoolConfig(BaseModel):
    """How many processes, in what surroundings, and how patient to be with them.

    Attributes:
        pool_size: processes.
        max_in_flight: requests that one process takes at once; `None` is what its hello says,
            or 1. If both say something, the smaller number counts.
        env: variables added to the worker's environment.
        cwd: directory in which the processes run; `None` is the worker's.
        response_timeout_seconds: the longest silence for one request before its process
            counts as hung; `None` is no limit.
        start_timeout_seconds: how long a process may take to its first sign of life.
        cancel_grace_seconds: how long a cancelled request may take to stop.
        max_message_bytes: the longest line, in either direction.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    pool_size: int = Field(default_factory=available_cpus, ge=1)
    max_in_flight: int | None = Field(default=None, ge=1)
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None
    response_timeout_seconds: float | None = Field(default=None, gt=0)
    start_timeout_seconds: float = Field(default=30.0, gt=0)
    cancel_grace_seconds: float = Field(default=5.0, ge=0)
    max_message_bytes: int = Field(default=MAX_MESSAGE_BYTES, ge=1024)


class StdioConfig(PoolConfig):
    """The table of an executor of `type = "stdio"`.

    Attributes:
        cmd: the program and its arguments.
    """

    cmd: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1)
