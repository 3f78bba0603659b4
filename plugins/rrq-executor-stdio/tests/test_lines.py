"""Cutting what a process prints into lines, however the pieces arrive."""

from __future__ import annotations

import pytest

from rrq_executor_stdio.lines import LineSplitter, LineTooLong


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_whatever_the_size_of_the_pieces(size: int) -> None:
    text = b"one\n\ntwo three\n" + b"x" * 50 + b"\nunfinished"
    splitter = LineSplitter(1000)
    lines = [
        line
        for start in range(0, len(text), size)
        for line in splitter.feed(text[start : start + size])
    ]
    assert lines == [b"one", b"", b"two three", b"x" * 50]


def test_many_lines_that_arrive_in_pieces_may_be_longer_together_than_one_may_be() -> None:
    splitter = LineSplitter(10)
    for _ in range(10):
        assert splitter.feed(b"x" * 8) == []
        assert splitter.feed(b"yy\n") == [b"xxxxxxxxyy"]


@pytest.mark.parametrize(
    ("accepted", "refused"), [(b"", b"x" * 11), (b"", b"x" * 11 + b"\n"), (b"x" * 10, b"x\n")]
)
def test_a_line_of_one_byte_too_many_is_refused(accepted: bytes, refused: bytes) -> None:
    splitter = LineSplitter(10)
    assert splitter.feed(accepted) == []
    with pytest.raises(LineTooLong) as error:
        splitter.feed(refused)
    assert error.value.start.startswith(b"xxxxxxxxxx")
