"""The Python runtime of RRQ (`rrq-executor`), and the executor type `python` that starts it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrq_executor_python.in_process import PythonExecutor as PythonExecutor
    from rrq_executor_python.transport import PythonTransport as PythonTransport

_HOMES = {
    "PythonExecutor": "rrq_executor_python.in_process",
    "PythonTransport": "rrq_executor_python.transport",
}

__all__ = ["PythonExecutor", "PythonTransport"]


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'rrq_executor_python' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
