"""How a table is made to fit: which column gives way first, and what is never lost."""

from __future__ import annotations

import pytest

from rrq.cli.layout import Column, Fitted, cut, fitted, width_of

ID = "4e292131-ebce-4307-9b58-0f5e49c0bbf8"
ERROR = "ValueError: no such address as ada@example.org in the address book of the shop"


def column(heading: str, *cells: str, short: str | None = None) -> Column:
    """A column as `render` makes it; `short` is what a time has left of its cell."""
    return Column(
        heading,
        cells,
        [short] * len(cells) if short else cells,
        is_number=all(cell.isdigit() for cell in cells),
        is_whole=heading == "id",
    )


def dead_letters() -> list[Column]:
    """What `rrq dlq list` shows of one job."""
    return [
        column("id", ID),
        column("function", "send_email"),
        column("queue", "mail"),
        column("error", ERROR),
        column("failed at", "12 m ago · 14:02:11", short="12 m ago"),
        column("attempts", "5"),
    ]


def headings(columns: list[Column]) -> list[str]:
    return [one.heading for one in columns]


def lines(table: Fitted) -> list[str]:
    """Everything that stands under the headings."""
    shown = []
    for row in table.rows():
        shown.append("  ".join(row.cells).rstrip())
        shown += ["  " + "  ".join(map(" ".join, items)) for items in row.beneath]
    return shown


def test_a_table_with_room_is_left_as_it_is() -> None:
    table = fitted(dead_letters(), 200)

    assert table.moved == []
    assert lines(table) == [f"{ID}  send_email  mail   {ERROR}  12 m ago · 14:02:11         5"]


def test_first_times_keep_only_how_long_ago_they_were() -> None:
    table = fitted(dead_letters(), 155)

    assert table.moved == []
    assert lines(table) == [f"{ID}  send_email  mail   {ERROR}  12 m ago         5"]


def test_then_a_wide_text_loses_its_end() -> None:
    table = fitted(dead_letters(), 110)

    assert table.moved == []
    (line,) = lines(table)
    assert len(line) == 110
    assert "ValueError: no such address as a…" in line
    assert line.startswith(f"{ID}  send_email  mail ")


def test_then_the_widest_text_stands_beneath_its_row() -> None:
    table = fitted(dead_letters(), 80)

    assert headings(table.moved) == ["error"]
    first, second = lines(table)
    assert first == f"{ID}  send_email  mail   12 m ago         5"
    assert second == "  error " + ERROR[:71] + "…"
    assert len(second) == 80


def test_then_columns_from_the_right_do() -> None:
    numbers = [column(f"number {n}", "1234567") for n in range(9)]

    table = fitted([column("queue", "mail"), *numbers], 45)

    assert headings(table.columns) == ["queue", *(f"number {n}" for n in range(4))]
    assert lines(table) == [
        "mail   1234567  1234567  1234567  1234567",
        "  number 4 1234567  number 5 1234567",
        "  number 6 1234567  number 7 1234567",
        "  number 8 1234567",
    ]


@pytest.mark.parametrize("width", [1, 10, 20, 40, 80, 100, 200])
@pytest.mark.parametrize("cuts", [True, False])
def test_an_id_is_never_cut(width: int, cuts: bool) -> None:
    assert any(ID in line for line in lines(fitted(dead_letters(), width, cuts)))


@pytest.mark.parametrize("width", range(45, 200, 7))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    columns = [
        column("id", ID, ID),
        column("function", "日本語の関数" * 4, "résumé"),
        column("error", ERROR, "boom " * 40),
        *(column(f"number {n}", "12", "1234") for n in range(6)),
    ]

    table = fitted(columns, width)

    assert max(map(width_of, lines(table))) <= width
    assert all(width_of("  ".join(line)) <= width for line in table.headings())


@pytest.mark.parametrize("width", [20, 80, 110])
def test_when_nothing_is_cut_everything_is_there(width: int) -> None:
    shown = "\n".join(lines(fitted(dead_letters(), width, cuts=False)))

    assert all(cell in shown for cell in (ID, ERROR, "send_email", "mail", "12 m ago", "5"))
    assert "…" not in shown


def test_what_has_no_value_takes_no_place_beneath_a_row() -> None:
    table = fitted([column("id", ID, ID), column("error", "-", ERROR * 2)], 60)

    assert lines(table)[:2] == [ID, ID]
    assert len(lines(table)) == 3


def test_a_heading_of_several_words_takes_several_lines_before_a_column_is_moved() -> None:
    table = fitted([column("jobs per second", "3"), column("x", "y" * 10)], 20)

    assert ["  ".join(line).rstrip() for line in table.headings()] == [
        "  jobs",
        "   per",
        "second  x",
    ]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("a b c", 3, "a…"),
        ("日本語", 5, "日本…"),
        ("ab", 1, "…"),
    ],
)
def test_an_ellipsis_stands_for_the_end_of_a_text(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
