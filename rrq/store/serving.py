"""`Serving`: what a worker's health tells about the queues and executors that it has.

Whoever reads it may meet anything under a health key: what cannot be read counts as not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorState:
    """An executor of one worker, as it was at the worker's last heartbeat.

    Attributes:
        capacity: how many jobs it takes at once.
        in_flight: how many it had.
        processes: how many of its processes were up.
        restarts: how many were replaced.
        last_error: why the last one was.
        functions: all that it can run; None if it does not tell, or if they are too many to tell.
    """

    name: str
    capacity: int | None = None
    in_flight: int | None = None
    processes: int | None = None
    restarts: int = 0
    last_error: str | None = None
    functions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A living worker.

    Attributes:
        status: in its own words; empty if its health cannot be read.
        queues: bare names, the most urgent first.
        executors: by name.
        routes: by queue, the executor of the jobs that name none; None if a plugin decides.
        last_claim_age_seconds: at the last heartbeat, how long ago it had last asked for jobs.
        ttl_seconds: how long its health lasts without another heartbeat.
    """

    worker_id: str
    status: str = ""
    queues: tuple[str, ...] = ()
    executors: Mapping[str, ExecutorState] = field(default_factory=dict)
    routes: Mapping[str, str] | None = None
    host: str | None = None
    pid: int | None = None
    last_claim_age_seconds: float | None = None
    ttl_seconds: float | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether it says that it cannot claim jobs."""
        return self.status.startswith("stuck")

    @property
    def is_stopping(self) -> bool:
        """Whether it claims no more jobs."""
        return self.status.startswith(("stopping", "stopped"))

    def executor_of(self, function_name: str, queue: str) -> str | None:
        """The executor that runs such a job of this queue here; None if that cannot be told."""
        prefix, mark, _ = function_name.partition("#")
        if mark:
            return prefix
        if len(self.executors) == 1:
            return next(iter(self.executors))
        return self.routes.get(queue) if self.routes is not None else None


def serving_from_health(worker_id: str, health: bytes | Mapping[str, Any] | None) -> Serving:
    """A worker from its health, as it stands in Redis or decoded."""
    told = _decoded(health) if isinstance(health, bytes) else health or {}
    executors = {
        name: _executor(name, state) for name, state in _mapping(told.get("executors")).items()
    }
    routes = told.get("routes")
    return Serving(
        worker_id=worker_id,
        status=str(told.get("status", "")),
        queues=_names(told.get("queues")) or (),
        executors=executors,
        routes=_strings(routes) if isinstance(routes, dict) else None,
        host=_name(told.get("host")),
        pid=_count(told.get("pid")),
        last_claim_age_seconds=_number(told.get("last_claim_age_seconds")),
        ttl_seconds=_number(told.get("ttl_seconds")),
    )


def _executor(name: str, state: Any) -> ExecutorState:
    told = _mapping(state)
    functions = _names(told.get("functions")) if "functions_in_all" not in told else None
    return ExecutorState(
        name=name,
        capacity=_count(told.get("capacity")),
        in_flight=_count(told.get("in_flight")),
        processes=_count(told.get("processes")),
        restarts=_count(told.get("restarts")) or 0,
        last_error=_name(told.get("last_error")),
        functions=functions,
    )


def _decoded(health: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(health)
    except (ValueError, RecursionError):
        return {}
    return _mapping(told)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: dict[str, Any]) -> dict[str, str]:
    return {name: text for name, text in value.items() if isinstance(text, str)}


def _names(value: Any) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list) else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
