"""`rrq executor check`: right executors pass, wrong ones are caught for what is wrong with them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest

from rrq.conformance.executor import FIRST, LAST, check_executor, names
from rrq.conformance.executor_answer import WrongPoint
from rrq.conformance.executor_bench import Handlers, Subject
from rrq.conformance.executor_process import CheckedProcess
from rrq.conformance.report import Report
from rrq.exc import RRQError
from tests.support.documents import CHECKOUT
from tests.support.once import once

EXECUTORS = Path(__file__).parent / "executors"
REFERENCE = CHECKOUT / "reference" / "python"
SCHEMA = CHECKOUT / "docs" / "reference" / "schemas" / "cli" / "executor-check.json"

RIGHT = {
    "reference": [sys.executable, str(REFERENCE / "check_handlers.py")],
    "plain": [sys.executable, str(EXECUTORS / "plain.py")],
    "runtime": [
        sys.executable,
        "-m",
        "rrq_executor_python",
        "--settings",
        "runtime_handlers.settings",
    ],
}

BROKEN = [sys.executable, str(EXECUTORS / "broken.py")]
"""To which the way is added in which it is wrong."""

SLOW = (
    "no hello",
    "values come back",
    "some megabytes",
    "too long",
    "deadline",
    "answered once",
    "end of stdin",
)
"""What takes the largest part of a check's time, and is left out where it is not the matter."""

IN_ALL: dict[str, dict[str, str]] = {
    "never_flushes": {FIRST: "check-1 is not answered within"},
    "prints_to_stdout": {LAST: "a line is no message"},
    "answers_under_another_id": {FIRST: "check-1 is not answered within", LAST: "was not asked"},
    "answers_twice": {LAST: "answers a second time"},
    "takes_every_version": {
        "a request of another version is refused": "version 2: its status is success, not error"
    },
    "answers_a_cancel_for_nothing": {LAST: "answers a second time"},
    "greets_late": {LAST: "a hello must be the first line"},
}
"""Ways to be wrong, and the points that find it, with a part of what they say."""

ALONE: dict[str, dict[str, str]] = {
    "ignores_bad_lines": {
        "a line that is no request is answered": "no JSON: unknown is not answered within",
    },
    "outlives_its_stdin": {"at an end of stdin within a line it ends": "it goes on"},
    "leaves_a_child": {"at an end of stdin within a line it ends": "that it started goes on"},
    "takes_chunks_for_lines": {
        "a request that arrives in pieces is put together": "is answered as unknown",
        LAST: "unknown was not asked",
    },
    "dies_of_bad_lines": {
        "a line that is no request is answered": "no JSON: unknown is not answered: ",
        "a doubtful request does no harm": "is not answered: ",
    },
    "calls_a_missing_handler_an_error": {
        "an unknown handler is told as such": 'its error_type is "KeyError"'
    },
    "takes_nan": {"a line that is no request is answered": "NaN: its status is success"},
    "delays_in_words": {"a handler can ask for another attempt": "its answer is no outcome"},
    "runs_one_after_the_other": {"long requests do not hold up a short one": "hold up a short one"},
    "joins_accents": {"values come back as they were sent": "a letter and its combining mark"},
    "reads_64_kib_lines": {"requests of every form are understood": "a megabyte of arguments"},
    "greets_unasked": {
        "it stays plain for a worker that knows no features": "hello, though nobody told it to"
    },
    "ignores_cancel": {"a cancelled request stops": "is not answered within"},
    "crashes_at_the_end": {"at an end of stdin within a line it ends": "by SIGSEGV"},
    "begins_lines_with_their_end": {FIRST: 'has no line feed at its end: {"job_id"'},
    "forgets_the_last_line_feed": {
        "at the end of stdin it ends, a request under way": "no line feed at its end, so no worker"
    },
    "never_ends_a_line": {FIRST: "is not answered: ", LAST: "a line does not end after"},
    "prints_dots": {FIRST: "is not answered within", LAST: "a line is no message"},
    "writes_latin_1": {"values come back as they were sent": "its answer is no outcome ('utf-8'"},
    "writes_as_the_locale_says": {
        "neither locale nor time zone changes anything": "result['args'][0] is '???', not '"
    },
    "writes_nan": {"a doubtful request does no harm": "Infinity is not JSON"},
    "cuts_long_lines": {
        "values come back as they were sent": "is not answered within",
        LAST: "a line is no message",
    },
    "escapes_beyond_the_limit": {"some megabytes pass in both directions": "the most is 16777216"},
    "mixes_long_lines": {
        "many requests get each its own outcome": "",  # what it finds depends on the mixture
        LAST: "a line is no message",
    },
    "calls_the_cancelled_cancelled": {
        "a cancelled request stops": "Invalid enum value 'cancelled'"
    },
    "asks_for_the_past": {"a handler can ask for another attempt": "retry_after_seconds is -1.0"},
    "greets_in_version_2": {LAST: "it speaks version 2, not 1"},
    "offers_no_place": {LAST: "its max_in_flight is less than 1"},
    "lists_other_functions": {"it says hello": "`functions` does not list it: ['resize']"},
    "calls_every_error_not_found": {
        "a failure is an error with its message": "but its hello lists it"
    },
    "reports_unasked": {
        "it stays plain for a worker that knows no features": "progress, though nobody told it to"
    },
    "reports_for_another": {"progress is reported": "it reports for job other"},
    "answers_from_memory": {
        "a job that was answered can come again": "is 'once', not 'again'",
    },
    "goes_on_after_a_cancel": {"a cancelled request is answered once": "answers a second time"},
    "keeps_the_places_of_the_cancelled": {
        "cancelled requests leave their places to others": "which go on in secret"
    },
    "cuts_deadlines_to_seconds": {
        "no request is stopped before its deadline": "its fraction of a second"
    },
    "takes_deadlines_for_local_time": {
        "neither locale nor time zone changes anything": "is it taken for local time?"
    },
}
"""Those of which only the points that are named are looked at: they are wrong in what many look at,
or quickly found."""

WRONG = ALONE | IN_ALL


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The reports on all executors, which are checked once a test run."""

    def check(directory: Path) -> None:
        with contextlib.chdir(EXECUTORS):  # where the handlers of the runtime are
            found = asyncio.run(checked_side_by_side())
        (directory / "reports").write_bytes(pickle.dumps(found))

    directory = once(tmp_path_factory, "checked_executors", check)
    reports: dict[str, Report] = pickle.loads((directory / "reports").read_bytes())
    return reports


async def checked_side_by_side() -> dict[str, Report]:
    """The reports, by the executors' names."""
    turns = asyncio.Semaphore(6)

    async def checked(subject: Subject, only: Sequence[str] | None) -> Report:
        async with turns:
            return await check_executor(subject, only=only)

    subjects = {name: (Subject(command=command), None) for name, command in RIGHT.items()}
    quick = [name for name in names() if not any(text in name for text in SLOW)]
    for way, points in WRONG.items():
        # One that never ends a line is found by what it has printed, not by the time it has taken.
        limit_seconds = 60 if way == "never_ends_a_line" else 4
        subject = Subject(
            command=[*BROKEN, way], limit_seconds=limit_seconds, start_limit_seconds=6
        )
        subjects[way] = (subject, [*([] if way in ALONE else quick), *points])
    reports = await asyncio.gather(*(checked(*one) for one in subjects.values()))
    return dict(zip(subjects, reports, strict=True))


def test_each_broken_executor_is_caught_for_its_own_fault(reports: dict[str, Report]) -> None:
    found = {
        way: {one.name: one.note for one in reports[way].points if one.status == "wrong"}
        for way in WRONG
    }
    assert {way: sorted(notes) for way, notes in found.items()} == {
        way: sorted(expected) for way, expected in WRONG.items()
    }
    for way, expected in WRONG.items():
        for name, part in expected.items():
            assert part in found[way][name], (way, name)


@pytest.mark.parametrize("name", ["reference", "runtime"])
def test_rrqs_own_executors_are_right_in_every_point(name: str, reports: dict[str, Report]) -> None:
    assert {point.name: point.status for point in reports[name].points} == dict.fromkeys(
        names(), "holds"
    ), reports[name]


def test_a_plain_executor_of_version_1_goes_on_being_right(reports: dict[str, Report]) -> None:
    plain = reports["plain"]

    assert plain.is_good, plain
    assert {point.name for point in plain.points if point.status == "absent"} == {
        "it says hello",
        "a line that is too long is refused",
        "long requests do not hold up a short one",
        "a cancelled request stops",
        "cancelled requests leave their places to others",
        "a cancelled request is answered once",
        "a cancel for nothing is ignored",
        "a deadline is kept",
        "progress is reported",
        "what a handler prints stays off the protocol",
    }


async def test_a_hello_that_takes_its_time_is_as_good_as_one_at_once() -> None:
    report = await check_executor(Subject(command=[*BROKEN, "greets_slowly"]), only=["hello"])

    assert {point.status for point in report.points} == {"holds"}, report


async def test_an_executor_that_counts_in_doubles_is_told_so_and_is_not_wrong() -> None:
    report = await check_executor(
        Subject(command=[*BROKEN, "counts_in_doubles"]), only=["keep their digits"]
    )

    assert [point.status for point in report.points] == ["holds", "absent", "absent", "holds"]
    assert "9007199254740992.0, not 9007199254740993; send them as text" in report.points[1].note


async def test_no_answer_to_a_line_that_no_worker_sends_is_not_wrong() -> None:
    subject = Subject(command=[*BROKEN, "passes_over_long_lines"], limit_seconds=2)

    report = await check_executor(subject, only=["too long"])

    assert [point.status for point in report.points] == ["holds", "absent", "holds"]
    assert "the worker sends none so long" in report.points[1].note


async def test_an_executor_without_an_echo_is_checked_by_a_handler_that_is_named() -> None:
    subject = Subject(command=RIGHT["reference"], function="sleep", args="[0]")

    report = await check_executor(subject, only=["values", "many requests"])

    status = {point.name: point.status for point in report.points}
    assert status == {
        FIRST: "holds",
        "values come back as they were sent": "absent",
        "many requests get each its own outcome": "holds",
        LAST: "holds",
    }


async def test_an_executor_without_any_known_handler_is_told_what_to_do() -> None:
    subject = Subject(command=RIGHT["reference"], handlers=Handlers(echo="nothing"))

    report = await check_executor(subject)

    assert [(point.name, point.status) for point in report.points[:2]] == [
        (FIRST, "wrong"),
        ("it says hello", "absent"),
    ]
    assert "--echo" in report.points[0].note
    assert "--function" in report.points[0].note


@pytest.mark.parametrize("is_deaf", [False, True])
async def test_one_that_reads_slowly_is_told_from_one_that_does_not(is_deaf: bool) -> None:
    reads = "while os.read(0, 2**16): time.sleep(0.02)"
    program = f"import os, time; {'time.sleep(600)' if is_deaf else ''}\n{reads}"
    process = CheckedProcess([sys.executable, "-c", program], 0.5, 1, lambda line: None)
    await process.start(0)
    try:
        with (
            pytest.raises(WrongPoint, match=r"does not read its stdin for 0\.5 s")
            if is_deaf
            else contextlib.nullcontext()
        ):
            await process.write(b"x" * 2**22)
    finally:
        await process.kill()


async def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RRQError, match="'no-such-program' cannot be started"):
        await check_executor(Subject(command=["no-such-program"]))


def test_the_command_prints_json_of_its_shape() -> None:
    ran = rrq("--json", "--only", "hello", "--", *RIGHT["reference"])

    assert ran.returncode == 0, ran.stdout
    found = json.loads(ran.stdout)
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    assert found["command"] == RIGHT["reference"]
    assert found["counts"] == {"holds": 3, "absent": 0, "wrong": 0}
    assert any('"type": "hello"' in line["text"] for line in found["points"][0]["lines"])


def test_the_command_tells_what_is_wrong_with_the_lines_that_show_it() -> None:
    ran = rrq("--only", "version", "--", *BROKEN, "takes_every_version")

    assert ran.returncode == 1
    table, lines = ran.stdout.split("\n\n")
    version = "a request of another version is refused"
    assert f"{version}\twrong\tversion 2: its status is success, not error" in table
    assert [line.split("\t")[:2] for line in lines.splitlines()[1:]] == [
        [version, "check"],
        [version, "executor"],
    ]
    assert '"protocol_version":"2"' in lines
    assert ran.stderr == "2 hold, 0 are absent (optional, or not tried), 1 is wrong.\n"


def test_a_word_that_is_in_no_points_name_is_wrong_usage() -> None:
    ran = rrq("--only", "helo", "--", *RIGHT["reference"])

    assert ran.returncode == 2
    assert "no point has 'helo' in its name" in ran.stderr


def rrq(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rrq executor check` where the handlers of the runtime are."""
    words: Sequence[str] = [sys.executable, "-m", "rrq", "executor", "check", *arguments]
    return subprocess.run(words, cwd=EXECUTORS, capture_output=True, text=True, check=False)
