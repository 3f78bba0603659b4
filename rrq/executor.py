"""The executor types under the names that applications import them by.

`StdioExecutor` and `PythonExecutor` belong to plugins and are imported when first used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rrq.protocol import ExecutionContext, ExecutionOutcome, ExecutionRequest

if TYPE_CHECKING:
    from rrq_executor_python import PythonExecutor as PythonExecutor
    from rrq_executor_stdio import StdioExecutor as StdioExecutor

__all__ = [
    "ExecutionContext",
    "ExecutionOutcome",
    "ExecutionRequest",
    "Executor",
    "PythonExecutor",
    "StdioExecutor",
]


class Executor(ABC):
    """Runs requests, one call each; for programs that run handlers without a worker."""

    @abstractmethod
    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        """Run one request to its outcome.

        Raises:
            ExecutorError: no executor is there to run it, or it went away.
        """

    @abstractmethod
    async def close(self) -> None:
        """End everything that it started; may be called more than once."""


_PLUGINS = {
    "PythonExecutor": ("rrq_executor_python", "rrq-executor-python"),
    "StdioExecutor": ("rrq_executor_stdio", "rrq-executor-stdio"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLUGINS:
        raise AttributeError(f"module 'rrq.executor' has no attribute {name!r}")
    module, distribution = _PLUGINS[name]
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ImportError(
            f"{name} comes from the package {distribution}: pip install {distribution}"
        ) from error
