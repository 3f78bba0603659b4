"""What needs another language's toolchain is left out, unless it is asked for."""

from __future__ import annotations

import pytest

BUILT = ("test_go", "test_mixed_languages", "test_traces", "test_typescript")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that build something, and leave them out without `-m reference`."""
    built = [
        item for item in items if item.path.parent.name == "reference" and item.path.stem in BUILT
    ]
    for item in built:
        item.add_marker(pytest.mark.reference)
    if "reference" not in config.option.markexpr and built:
        items[:] = [item for item in items if item not in built]
        config.hook.pytest_deselected(items=built)
