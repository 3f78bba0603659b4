"""How the tests of the protocol run the vectors."""

from __future__ import annotations

from typing import Any

import pytest

from rrq.conformance import vectors


def each(file: str) -> Any:
    """A test for each case of a file of vectors, called by its name."""
    cases = [pytest.param(case, id=case["name"]) for case in vectors.cases(file)]
    return pytest.mark.parametrize("case", cases)
