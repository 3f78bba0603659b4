import pytest

from rrq.registry import JobRegistry


def handler() -> None:
    """Nothing."""


def test_a_handler_is_found_under_its_name_until_it_is_withdrawn() -> None:
    registry = JobRegistry()
    registry.register("a", handler)
    assert registry.get_handler("a") is handler
    assert registry.get_registered_functions() == ["a"]
    registry.unregister("a")
    registry.unregister("a")
    assert registry.get_handler("a") is None


def test_a_name_is_taken_unless_it_is_to_be_replaced() -> None:
    registry = JobRegistry()
    registry.register("a", handler)
    with pytest.raises(ValueError, match="'a' is registered already"):
        registry.register("a", print)
    registry.register("a", print, replace=True)
    assert registry.get_handler("a") is print
    registry.clear()
    assert registry.get_registered_functions() == []


def test_what_cannot_be_called_is_no_handler() -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        JobRegistry().register("a", 3)  # type: ignore[arg-type]
