"""The handlers of the demo, and the settings object that its executors start with."""

from __future__ import annotations

import ast
import tokenize
from pathlib import Path
from typing import Any

from rrq.executor_settings import PythonExecutorSettings
from rrq.registry import JobRegistry


def measure_module(ctx: dict[str, Any], path: str) -> dict[str, int]:
    """Parse a Python file and count its lines, functions and classes.

    Raises:
        SyntaxError, UnicodeDecodeError: the file is not Python; some of the standard library's
            test data is not, on purpose.
    """
    with tokenize.open(path) as file:
        source = file.read()
    nodes = list(ast.walk(ast.parse(source, filename=Path(path).name)))
    return {
        "lines": source.count("\n"),
        "functions": sum(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in nodes),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
    }


registry = JobRegistry()
registry.register("measure_module", measure_module)
settings = PythonExecutorSettings(job_registry=registry)
