"""What a benchmark assumes of the code that it measures."""

from __future__ import annotations

import ast
from pathlib import Path

import rrq.store
from tests.support.documents import CHECKOUT

LUA = Path(rrq.store.__file__).parent / "lua"


def test_the_functions_that_the_benchmark_of_the_counters_empties_are_there() -> None:
    tree = ast.parse((CHECKOUT / "benchmarks/counters.py").read_text())
    [emptied] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EMPTIED"
    ]
    for fragment, names in emptied.items():
        text = (LUA / f"{fragment}.lua").read_text()
        for name in names:
            assert f"local function {name}(" in text, f"{fragment}: {name}"
