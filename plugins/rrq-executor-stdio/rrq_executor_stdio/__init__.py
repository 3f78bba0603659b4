"""The transport `stdio`: executors in any language, as processes that speak JSON Lines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrq_executor_stdio.config import PoolConfig as PoolConfig
    from rrq_executor_stdio.config import StdioConfig as StdioConfig
    from rrq_executor_stdio.executor import StdioExecutor as StdioExecutor
    from rrq_executor_stdio.transport import StdioTransport as StdioTransport

_HOMES = {
    "PoolConfig": "rrq_executor_stdio.config",
    "StdioConfig": "rrq_executor_stdio.config",
    "StdioExecutor": "rrq_executor_stdio.executor",
    "StdioTransport": "rrq_executor_stdio.transport",
}

__all__ = ["PoolConfig", "StdioConfig", "StdioExecutor", "StdioTransport"]


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'rrq_executor_stdio' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
