"""How commands speak: on a terminal, in a pipe, as JSON; and what job data cannot do."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from rrq.cli.render import (
    ago,
    details,
    duration,
    error,
    printable,
    progress,
    table,
    time_or_text,
    when,
)

ROWS = [("job-1", 3, None), ("job-2", 12, "a\tb\nc")]
TABLE = f"from rrq.cli.render import table\ntable(['id', 'tries', 'last error'], {ROWS!r})"


def on_a_terminal(code: str, **variables: str) -> str:
    """What the code writes to a terminal, which is its stdout and stderr."""
    kept = {name: text for name, text in os.environ.items() if not name.endswith("_COLOR")}
    control, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=terminal,
        stderr=terminal,
        env={**kept, "TERM": "xterm", "COLUMNS": "80", **variables},
    )
    os.close(terminal)
    written = b""
    try:
        while chunk := os.read(control, 65536):
            written += chunk
    except OSError:
        # Linux says so when the last writer has closed the terminal.
        pass
    os.close(control)
    assert process.wait(timeout=30) == 0, written.decode()
    return written.decode().replace("\r\n", "\n")


def test_in_a_pipe_a_table_is_a_line_of_names_and_cells_between_tabs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table(["id", "tries", "last error"], ROWS)

    assert capsys.readouterr().out == ("id\ttries\tlast error\njob-1\t3\t-\njob-2\t12\ta\\tb\\nc\n")


def test_as_json_a_table_is_a_list_of_objects_that_keep_their_kinds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)

    table(["id", "Failed at", "tags"], [("a", moment, ["x"]), (None, 1.5, True)], json=True)

    assert json.loads(capsys.readouterr().out) == [
        {"id": "a", "failed_at": "2026-01-02T00:00:00+00:00", "tags": ["x"]},
        {"id": None, "failed_at": 1.5, "tags": True},
    ]


def test_an_empty_table_says_so_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    table(["id"], [], empty="No jobs.")
    assert capsys.readouterr() == ("id\n", "No jobs.\n")

    table(["id"], [], empty="No jobs.", json=True)
    assert capsys.readouterr() == ("[]\n", "")


def test_rows_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> object:
        yield ("first",)
        assert "first" in capsys.readouterr().out
        yield ("second",)

    table(["id"], rows())  # type: ignore[arg-type]

    assert capsys.readouterr().out == "second\n"


def test_on_a_terminal_columns_line_up_and_numbers_stand_right() -> None:
    shown = on_a_terminal(TABLE, NO_COLOR="1")

    heading, rule, first, second = (line.rstrip() for line in shown.splitlines())
    assert set(rule) == {"─", " "}
    assert heading.split() == ["id", "tries", "last", "error"]
    assert first.split() == ["job-1", "3", "-"]
    assert second.split() == ["job-2", "12", "a\\tb\\nc"]
    assert first.index("3") == second.index("12") + 1


def test_on_a_narrow_terminal_an_id_stands_beneath_its_row_and_is_never_cut() -> None:
    code = "from rrq.cli.render import table\ntable(['id', 'x'], [('0123456789' * 6, 'y')])"

    shown = on_a_terminal(code, COLUMNS="40", NO_COLOR="1")

    assert shown == "x\n─\ny\n  id " + "0123456789" * 6 + "\n"


def test_brackets_in_job_data_are_not_markup() -> None:
    code = "from rrq.cli.render import table\ntable(['x'], [('[red]hot[/red]',)])"

    assert "[red]hot[/red]" in on_a_terminal(code)


def test_colour_is_for_terminals_that_want_it() -> None:
    code = "from rrq.cli.render import error\nerror('no luck')"

    assert on_a_terminal(code) == "\x1b[1;31merror:\x1b[0m no luck\n"
    assert on_a_terminal(code, NO_COLOR="1") == "error: no luck\n"
    assert on_a_terminal(code, TERM="dumb") == "error: no luck\n"
    assert on_a_terminal(code, TERM="dumb", FORCE_COLOR="1").startswith("\x1b[1;31m")
    assert on_a_terminal(code, NO_COLOR="1", FORCE_COLOR="1") == "error: no luck\n"
    assert "\x1b[1m" in on_a_terminal(TABLE)
    assert "\x1b" not in on_a_terminal(TABLE, NO_COLOR="1")


def test_forced_colour_reaches_messages_in_a_pipe_and_never_the_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")

    table(["id", "status"], [("a", "FAILED")])
    error("no luck")

    assert capsys.readouterr() == ("id\tstatus\na\tFAILED\n", "\x1b[1;31merror:\x1b[0m no luck\n")


def test_a_state_has_its_colour() -> None:
    rows = [("FAILED", "FAILED"), ("COMPLETED", "x")]

    shown = on_a_terminal(
        f"from rrq.cli.render import table\ntable(['status', 'function'], {rows!r})"
    )

    assert "\x1b[31mFAILED   \x1b[0m  FAILED\n" in shown
    assert "\x1b[32mCOMPLETED\x1b[0m  x\n" in shown


@pytest.mark.parametrize("written", ["datetime(2026, 1, 2, 3, 4, 5)", "datetime.max"])
def test_on_a_terminal_a_time_is_told_from_now_and_by_the_clock(written: str) -> None:
    code = (
        "from datetime import datetime\nfrom rrq.cli.render import details\n"
        f"details([('at', {written})])"
    )

    shown = on_a_terminal(code, TZ="Asia/Tokyo", NO_COLOR="1")

    assert re.fullmatch(r"at  (in )?\d+ d( ago)? · (2026-01-02 12:04:05|9999-12-31 .*)\n", shown)


def test_a_time_of_today_has_no_date() -> None:
    now = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)

    assert when(now - timedelta(minutes=3, seconds=20), now) == "3 m ago · 11:56:40"
    assert when(now + timedelta(seconds=1.4), now) == "in 1 s · 12:00:01"
    assert when(now.astimezone(UTC), now) == "now · 12:00:00"
    assert when(None, now) == "-"


def test_in_a_pipe_and_as_json_a_time_is_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=9)))

    table(["at"], [(moment,), (moment.replace(tzinfo=None),)])
    table(["at"], [(moment,)], json=True)

    told = capsys.readouterr().out
    assert told.startswith("at\n2026-01-01T18:04:05+00:00\n2026-01-02T03:04:05+00:00\n")
    assert '"at": "2026-01-01T18:04:05+00:00"' in told


def test_a_long_value_among_details_is_cut_on_a_terminal_unless_nothing_is() -> None:
    code = (
        "from rrq.cli import render\n{}"
        "render.details([('args', 'x' * 2000), ('lines', 'y\\n' * 30)])"
    )

    cut = on_a_terminal(code.format(""), NO_COLOR="1", COLUMNS="46")
    whole = on_a_terminal(code.format("render.truncate_nothing()\n"), NO_COLOR="1", COLUMNS="46")

    assert cut.count("x") == 12 * 39 - 1
    assert cut.count("y") == 12
    assert cut.count("(… --no-truncate shows all of it)") == 2
    assert (whole.count("x"), whole.count("y")) == (2000, 30)
    assert "truncate" not in whole


def test_in_a_pipe_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table(["error"], [("x" * 3000,)])
    details({"error": "x" * 3000})

    assert capsys.readouterr().out == f"error\n{'x' * 3000}\nerror\t{'x' * 3000}\n"


def test_details_line_up_on_a_terminal_and_keep_lines() -> None:
    code = "from rrq.cli.render import details\ndetails([('id', 'a'), ('error', 'one\\ntwo')])"

    assert on_a_terminal(code, NO_COLOR="1") == "id     a\nerror  one\n       two\n"


def test_details_in_a_pipe_are_a_line_each_and_as_json_an_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    details({"id": "a", "Last error": "one\ntwo", "result": {"b": [1]}})
    assert capsys.readouterr().out == 'id\ta\nLast error\tone\\ntwo\nresult\t{"b": [1]}\n'

    details({"id": "a", "Last error": None}, json=True)
    assert json.loads(capsys.readouterr().out) == {"id": "a", "last_error": None}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 日本 🎉", "plain ünïcode 日本 🎉"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_of_control_characters_only_line_feeds_may_stay() -> None:
    assert printable("a\nb\r\x1b", multiline=True) == "a\nb\\r\\x1b"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.35, "350 ms"),
        (0.9996, "1.0 s"),
        (1.24, "1.2 s"),
        (9.96, "10 s"),
        (59.6, "1 m"),
        (200, "3 m 20 s"),
        (7_500, "2 h 5 m"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
        (-2, "-2.0 s"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_moment_is_told_from_now() -> None:
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)

    assert ago(None, now) == "-"
    assert ago(now, now) == "now"
    assert ago(now - timedelta(seconds=200), now) == "3 m 20 s ago"
    assert ago(now + timedelta(hours=2), now) == "in 2 h"
    assert ago(datetime(2026, 1, 2, 11), now) == "1 h ago"


def test_progress_is_shown_on_a_terminal_and_nowhere_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = (
        "from rrq.cli.render import progress\n"
        "with progress(4, 'Requeueing [all]') as advance:\n    advance(4)\n"
    )

    with progress(4, "Requeueing") as advance:
        advance(4)

    assert capsys.readouterr() == ("", "")
    shown = on_a_terminal(code)
    assert "Requeueing [all]" in shown
    assert "4/4" in shown


def test_what_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from rrq.cli import main, render\n"
            "main._print_whatever_the_encoding(); render.table(['x'], [('日本',)])",
        ],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout == "x\n\\u65e5\\u672c\n"


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", None, 7, ["2026-01-01"]])
def test_what_is_no_time_is_left_as_it_is(text: object) -> None:
    assert time_or_text(text) == text


def test_a_time_that_somebody_wrote_is_one() -> None:
    assert time_or_text("2026-01-01T12:00:00") == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert time_or_text("2026-01-01T12:00:00Z") == datetime(2026, 1, 1, 12, tzinfo=UTC)
