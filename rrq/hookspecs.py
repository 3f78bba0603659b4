"""What a plugin may implement: the whole door on one page.

A plugin is a module or object named by an entry point in the group `rrq.plugins`; its
functions carry `@rrq.hookimpl`. RRQ's own commands and routing rules come through here too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pluggy

if TYPE_CHECKING:
    import typer

    from rrq.settings import RRQSettings
    from rrq.telemetry import Role, Telemetry
    from rrq.transport import Transport

hookspec = pluggy.HookspecMarker("rrq")
hookimpl = pluggy.HookimplMarker("rrq")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutableJob:
    """What a routing plugin sees of a claimed job; `args` and `kwargs` are JSON text."""

    job_id: str
    function_name: str
    queue_name: str
    attempt: int
    args: bytes
    kwargs: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """What a lifecycle plugin sees of a worker."""

    worker_id: str
    queues: tuple[str, ...]
    executors: tuple[str, ...]
    settings: RRQSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A health check for `rrq check`: `probe` returns a state and one line for people."""

    name: str
    probe: Callable[[], Awaitable[tuple[Literal["ok", "warning", "failed"], str]]]


@hookspec
def rrq_transports() -> Mapping[str, type[Transport]]:  # type: ignore[empty-body]
    """Offer executor transports, by the `type` that configuration names them with."""


@hookspec(firstresult=True)
def rrq_route(
    job: RoutableJob, executors: tuple[str, ...], settings: RRQSettings | None
) -> str | None:
    """Name the executor for a claimed job without an `executor#` prefix, or pass with None."""


@hookspec
def rrq_telemetry(role: Role, settings: RRQSettings) -> Telemetry | None:
    """Give a tracing backend for this process, or None; called once.

    A `ConfigError` raised for the role `orchestrator` keeps the worker from starting.
    """


@hookspec
def rrq_commands(app: typer.Typer) -> None:
    """Add commands to the CLI while it is built."""


@hookspec
def rrq_worker_started(worker: WorkerView) -> Awaitable[None] | None:
    """Act when a worker has its executors up and begins to claim; may be async."""


@hookspec
def rrq_worker_stopping(worker: WorkerView) -> Awaitable[None] | None:
    """Act when a worker has stopped claiming and its jobs are settled; may be async."""


@hookspec
def rrq_checks(settings: RRQSettings) -> list[Check]:  # type: ignore[empty-body]
    """Add health checks to `rrq check`."""
