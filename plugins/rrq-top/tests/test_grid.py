"""Grids: what is left of rows and columns for a width, an order and a text; and who gets lines."""

from __future__ import annotations

import pytest

from rrq.cli.layout import width_of
from rrq_top.grid import (
    Cell,
    Column,
    Grid,
    Remembered,
    Row,
    Sorting,
    arranged,
    next_sorting,
    text_lines,
    widths,
)
from rrq_top.shares import shares
from rrq_top.wording import age, bar, count, rate, told_progress

COLUMNS = (
    Column("name", "NAME", least=6, most=20),
    Column("size", "SIZE", is_number=True),
    Column("note", "NOTE", least=4, most=30, leaves=1),
)


def a_grid(*rows: tuple[str, int | None, str]) -> Grid:
    return Grid(
        title="Things",
        columns=COLUMNS,
        rows=tuple(
            Row(name, (Cell(name, order=name), Cell(str(size), order=size), Cell(note)), name)
            for name, size, note in rows
        ),
        empty="No thing.",
        sorting=Sorting("size", is_descending=True),
    )


THINGS = a_grid(("b", 10, ""), ("a", None, ""), ("c", 9, ""), ("d", 10, ""))


def names(grid: Grid) -> str:
    return "".join(row.key for row in grid.rows)


def test_numbers_are_sorted_by_size_and_what_is_not_known_is_last() -> None:
    assert names(arranged(THINGS)) == "bdca"
    assert names(arranged(THINGS, Sorting("size"))) == "cbda"
    assert names(arranged(THINGS, Sorting("name", is_descending=True))) == "dcba"


def test_the_next_column_is_sorted_in_its_own_direction_and_after_the_last_comes_the_first() -> (
    None
):
    assert next_sorting(THINGS, None, 1) == Sorting("note")
    assert next_sorting(THINGS, Sorting("note"), 1) == Sorting("name")
    assert next_sorting(THINGS, Sorting("name"), 1) == Sorting("size", is_descending=True)
    assert next_sorting(THINGS, Sorting("name"), -1) == Sorting("note")


def test_a_filter_looks_for_its_text_in_upper_or_lower_case() -> None:
    assert names(arranged(a_grid(("Mail", 1, ""), ("slow", 2, "")), text="mAi")) == "Mail"


def test_a_table_that_is_too_wide_cuts_texts_and_then_leaves_columns_out() -> None:
    grid = a_grid(("a name of twenty cel", 1_000, "a note of twenty cel"))

    assert widths(grid) == {"name": 20, "size": 4, "note": 20}
    assert widths(grid, 30) == {"name": 12, "size": 4, "note": 12}
    assert widths(grid, 15) == {"name": 10, "size": 4}
    assert text_lines(grid, 30)[1] == "a name of t… 1000 a note of t…"


@pytest.mark.parametrize("width", [5, 11, 12, 20, 40, 80])
def test_no_line_is_wider_than_the_terminal_whatever_the_characters(width: int) -> None:
    grid = a_grid(("日本語の長い名前の仕事です", 1_000, "naïve 🙂🙂🙂🙂🙂🙂"))

    fitted = widths(grid, width)

    assert sum(fitted.values()) + len(fitted) - 1 <= max(width, 11)
    assert all(width_of(line) <= max(width, 11) for line in text_lines(grid, width))


def test_without_a_width_nothing_is_cut() -> None:
    assert text_lines(a_grid(("n" * 100, 1, "x" * 100)))[1] == f"{'n' * 100}    1 {'x' * 100}"
    assert text_lines(a_grid()) == ["No thing."]


def test_columns_only_grow_so_that_they_do_not_jump() -> None:
    remembered = Remembered()
    remembered.fit(a_grid(("longer", 1, "")), 80)

    assert remembered.fit(a_grid(("x", 1, "")), 80)["name"] == 6
    remembered.forget()
    assert remembered.fit(a_grid(("x", 1, "")), 80)["name"] == 4


@pytest.mark.parametrize(
    ("lines", "wanted", "focused", "given"),
    [
        # Enough for all: the last has the rest.
        (30, [5, 4, 6, 5], 0, [5, 4, 6, 15]),
        # Not enough: the one with the focus has about half, the others a modest part.
        (21, [50, 3, 50, 50], 2, [5, 3, 10, 3]),
        (21, [50, 50, 50, 50], 0, [10, 5, 3, 3]),
        # Only one can be open.
        (8, [50, 50, 50, 50], 3, [1, 1, 1, 5]),
        # Not even the titles have room.
        (3, [50, 50, 50, 50], 1, [1, 1, 1, 1]),
    ],
)
def test_the_lines_of_a_screen_are_shared_among_panes(
    lines: int, wanted: list[int], focused: int, given: list[int]
) -> None:
    assert shares(lines, wanted, focused) == given


def test_figures_are_short() -> None:
    assert [count(number) for number in (0, 999_999, 1_234_567, 5e9)] == [
        "0",
        "999,999",
        "1.23M",
        "5.00G",
    ]
    assert [rate(number) for number in (0, 0.001, 0.02, 1.66, 42.4, 1234.5)] == [
        "0",
        "<0.01",
        "0.02",
        "1.7",
        "42",
        "1,234",
    ]
    ages = (0.35, 1.2, 59.4, 200, 7_500, 200_000, -5, None)
    assert [age(seconds) for seconds in ages] == [
        "350ms",
        "1.2s",
        "59s",
        "3m20s",
        "2h05m",
        "2d07h",
        "-5.0s",
        "-",
    ]
    assert [bar(share, 4) for share in (-1, 0, 0.5, 1, 7)] == [
        "░░░░",
        "░░░░",
        "██░░",
        "████",
        "████",
    ]


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        ({"current": 3, "total": 10, "message": "page"}, "3/10 page"),
        ({"current": 2.5}, "2.5"),
        ({"message": "a\x1b[31mb\nc"}, r"a\x1b[31mb"),
        ({"current": [1], "total": {}}, "[1]/{}"),
        ({}, "-"),
    ],
)
def test_progress_is_told_as_far_as_it_can_be_read(progress: dict[str, object], told: str) -> None:
    assert told_progress(progress) == told
