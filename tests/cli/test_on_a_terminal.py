"""The command on a terminal, as a person has it: what it shows there, and what it asks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from redis import Redis

from rrq.cli.layout import width_of
from tests.support.busy import BusyPlace
from tests.support.busy import busy as busy
from tests.support.places import Ended
from tests.support.terminals import Terminal

CTRL_D = b"\x04"
CLOCK = r"\d\d:\d\d:\d\d"
ERROR = "ValueError: no such address as eve@example.org in the address book of the shop"

Shown = Callable[..., Ended]


@pytest.fixture(scope="module")
def shown(busy: BusyPlace) -> Shown:
    """Run a command on a terminal of some width, and return what it wrote there."""

    def run(*words: str, columns: int = 80, **variables: str) -> Ended:
        terminal = begin(busy, *words, columns=columns, **variables)
        code = terminal.wait(20)
        return Ended(" ".join(words), code, terminal.written, "")

    return run


def begin(busy: BusyPlace, *words: str, columns: int = 80, **variables: str) -> Terminal:
    environment = busy.place.environment()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    return Terminal(
        ["rrq", *words], busy.place.directory, environment, columns=columns, **variables
    )


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_at_80_columns_a_table_fits_and_its_ids_are_whole(busy: BusyPlace, shown: Shown) -> None:
    table = shown("job", "list", columns=80).stdout

    lines = without_colours(table).splitlines()
    assert re.fullmatch("─+(  ─+)+", lines[1])
    assert max(map(width_of, lines)) <= 80
    assert f"  id {busy.ids['failed']}\n  error {ERROR[:71]}…\n" in without_colours(table)
    assert re.match(r"\x1b\[1mfunction +queue +status .*\x1b\[0m\n", table)
    assert re.search(r" \x1b\[31mFAILED *\x1b\[0m ", table)
    assert re.search(r" \x1b\[32mCOMPLETED *\x1b\[0m ", table)


def test_at_80_columns_a_wide_value_ends_in_an_ellipsis_unless_nothing_is_cut(
    busy: BusyPlace, shown: Shown
) -> None:
    explained = ["job", "trace", busy.ids["failed"]]

    cut = without_colours(shown(*explained, columns=60).stdout)
    whole = without_colours(shown(*explained, "--no-truncate", columns=60).stdout)

    assert "no such address as eve@example.org" in cut
    assert ERROR not in cut
    assert "…" in cut
    assert ERROR in whole
    assert "…" not in whole


def test_at_80_columns_no_percentile_is_cut(shown: Shown) -> None:
    stats = without_colours(shown("queue", "stats", "--functions", columns=80).stdout)

    lines = stats.splitlines()
    assert max(map(width_of, lines)) <= 80
    echoed = lines[next(at for at, line in enumerate(lines) if line.startswith("echo ")) :]
    assert re.match(r"  wait avg/p50/p95/p99 [\d.]+ m?s( / [\d.]+ m?s){3}$", echoed[1])
    assert re.match(r"  run avg/p50/p95/p99 [\d.]+ m?s( / [\d.]+ m?s){3}$", echoed[2])


def test_at_200_columns_everything_is_in_the_table_and_times_are_told_both_ways(
    busy: BusyPlace, shown: Shown
) -> None:
    table = without_colours(shown("dlq", "list", columns=200).stdout)

    line = next(line for line in table.splitlines() if busy.ids["failed"] in line)
    cells = re.split(r" {2,}", line)
    assert cells[:2] == [busy.ids["failed"], "send_email"]
    assert cells[3] == ERROR
    assert re.fullmatch(rf"(now|\d+ [sm] ago) · (\d{{4}}-\d\d-\d\d )?{CLOCK}", cells[4])
    assert cells[5] == "1"
    assert "…" not in table


def test_a_dumb_terminal_gets_the_table_without_colours(busy: BusyPlace, shown: Shown) -> None:
    ended = shown("job", "list", TERM="dumb")

    assert f"  id {busy.ids['failed']}" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_json_on_a_terminal_is_the_same_as_in_a_pipe(busy: BusyPlace, shown: Shown) -> None:
    words = ("job", "show", busy.ids["failed"], "--json")

    assert shown(*words).stdout == busy.rrq(*words).stdout


@pytest.mark.parametrize("typed", [b"n\n", b"\n", CTRL_D])
def test_before_something_is_deleted_it_asks_and_takes_no_for_an_answer(
    busy: BusyPlace, typed: bytes
) -> None:
    with Redis.from_url(busy.dsn, decode_responses=True) as redis:
        before = redis.lrange("rrq:dlq:default", 0, -1)

        terminal = begin(busy, "dlq", "delete", "--all")
        terminal.shows(r"Delete 3 dead letters for ever\? \[y/N\]: ")
        terminal.type(typed)
        code = terminal.wait(20)

        assert code == 1
        assert terminal.written.endswith("\nNothing was done.\n")
        assert redis.lrange("rrq:dlq:default", 0, -1) == before


def test_where_nobody_can_be_asked_it_refuses_and_says_what_goes_ahead(busy: BusyPlace) -> None:
    ended = busy.place.run("rrq", "dlq", "delete", "--all", code=1)

    assert ended.stderr.splitlines()[-2:] == [
        "There is nobody to ask here: --yes goes ahead.",
        "Nothing was done.",
    ]


def test_who_agrees_has_it_deleted(busy: BusyPlace) -> None:
    terminal = begin(busy, "dlq", "delete", "--job-id", busy.ids["failed"])
    terminal.shows(r"Delete 1 dead letter for ever\? \[y/N\]: ")
    terminal.type(b"y\n")

    assert terminal.wait(20) == 0
    assert "deleted" in terminal.written
    with Redis.from_url(busy.dsn) as redis:
        assert not redis.exists(f"rrq:job:{busy.ids['failed']}")
