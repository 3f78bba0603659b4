"""Words for numbers, and for texts of others, in messages."""

from __future__ import annotations

import pytest

from rrq.wording import counted, told_error


@pytest.mark.parametrize(
    ("count", "words", "told"),
    [
        (0, ("lease",), "0 leases"),
        (1, ("lease",), "1 lease"),
        (2_000, ("lease",), "2,000 leases"),
        (1, ("entry", "entries"), "1 entry"),
        (2, ("entry", "entries"), "2 entries"),
        (1, ("is", "are"), "1 is"),
    ],
)
def test_a_single_thing_is_told_in_the_singular(
    count: int, words: tuple[str, ...], told: str
) -> None:
    assert counted(count, *words) == told


@pytest.mark.parametrize(
    ("error", "error_type", "told"),
    [
        ("'id'", "KeyError", "KeyError: 'id'"),
        ("'id'", None, "'id'"),
        ("ValueError: no", "ValueError", "ValueError: no"),
        (None, "KeyError", None),
    ],
)
def test_an_error_is_told_with_its_type_once(
    error: str | None, error_type: str | None, told: str | None
) -> None:
    assert told_error(error, error_type) == told
