"""RRQ, the Reliable Redis Queue. The public names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrq.client import RRQClient as RRQClient
    from rrq.executor import ExecutionContext as ExecutionContext
    from rrq.executor import ExecutionOutcome as ExecutionOutcome
    from rrq.executor import ExecutionRequest as ExecutionRequest
    from rrq.executor_settings import PythonExecutorSettings as PythonExecutorSettings
    from rrq.hookspecs import hookimpl as hookimpl
    from rrq.hookspecs import hookspec as hookspec
    from rrq.job_request import JobRequest as JobRequest
    from rrq.registry import JobRegistry as JobRegistry
    from rrq.settings import ExecutorConfig as ExecutorConfig
    from rrq.settings import RRQSettings as RRQSettings
    from rrq.sync_client import SyncRRQClient as SyncRRQClient

__version__ = "1.0.0a1"

_HOMES = {
    "RRQClient": "rrq.client",
    "SyncRRQClient": "rrq.sync_client",
    "JobRequest": "rrq.job_request",
    "RRQSettings": "rrq.settings",
    "ExecutorConfig": "rrq.settings",
    "JobRegistry": "rrq.registry",
    "PythonExecutorSettings": "rrq.executor_settings",
    "ExecutionContext": "rrq.executor",
    "ExecutionRequest": "rrq.executor",
    "ExecutionOutcome": "rrq.executor",
    "hookimpl": "rrq.hookspecs",
    "hookspec": "rrq.hookspecs",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'rrq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
