"""`rrq producer check`: right producers pass, wrong ones are caught by the field that is wrong."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest

from rrq.conformance import vectors
from rrq.conformance.producer import check_producer
from rrq.conformance.report import Report
from rrq.embedded import EmbeddedRedis
from rrq.exc import RRQError
from tests.support.documents import CHECKOUT
from tests.support.once import once

PRODUCERS = Path(__file__).parent / "producers"
SCHEMA = CHECKOUT / "docs" / "reference" / "schemas" / "cli" / "producer-check.json"

CLIENT = [sys.executable, str(PRODUCERS / "client.py")]
REFERENCE = [sys.executable, str(CHECKOUT / "reference" / "python" / "enqueue_vectors.py")]
PLAIN = [sys.executable, str(PRODUCERS / "plain.py")]

JOB = "job: no more than a function"
WRONG: dict[str, tuple[str, str]] = {
    "seconds for milliseconds": (JOB, "its score is"),
    "local time without an offset": (JOB, "`enqueue_time` is"),
    "python for json": ("job: only keyword arguments", "`job_kwargs` is no JSON"),
    "no queue name": (JOB, "`queue_name` is missing"),
    "a key of the full name": (
        "job: a queue by its full name",
        "it waits in queue rrq:queue:bulk, not in bulk",
    ),
    "times in whole seconds": (JOB, "which is not its score of"),
    "text in text": ("job: arguments of every kind", "`job_args` says something else"),
    "numbers through doubles": ("job: integers beyond a double", "`job_args` says something else"),
    "a status of its own": (JOB, '`status` is "pending", not "PENDING"'),
    "headers in text": ("job: propagation headers", "`trace_context` is no JSON"),
    "two queues": (JOB, "it waits in queue all, default, not in default"),
    "another database": ("the program ends with status 0", "but wrote nothing: are RRQ_REDIS_DSN"),
    "a job as text": ("nothing else is written", "is a string, not a hash"),
    "a list for a queue": ("nothing else is written", "is a list, not a sorted set"),
    "a hash that expires": (JOB, "its hash has a TTL"),
    "retries for attempts": ("job: attempts", '`max_retries` is "2", not "3"'),
    "the queue first": ("the hash is there before the queue", "into their queue too early"),
    "a job of its own": ("nothing else is written", "of function hello is no vector"),
}
"""Ways to be wrong, a point that finds it, and a part of what that says."""

TOGETHER = [
    [
        *("times in whole seconds", "text in text", "headers in text", "a status of its own"),
        "two queues",
    ],
    ["numbers through doubles", "a list for a queue"],
    ["seconds for milliseconds", "no queue name", "a hash that expires"],
    ["local time without an offset", "python for json"],
]
"""Those that are wrong in other fields, so that one program can be wrong in all of them."""


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The reports on all producers, which are checked once a test run."""

    def check(directory: Path) -> None:
        (directory / "reports").write_bytes(pickle.dumps(checked_side_by_side()))

    directory = once(tmp_path_factory, "checked_producers", check)
    reports: dict[str, Report] = pickle.loads((directory / "reports").read_bytes())
    return reports


def checked_side_by_side() -> dict[str, Report]:
    """The reports, by what is peculiar to a producer; each has a database of its own."""
    commands = {"client": CLIENT, "reference": REFERENCE, "plain": PLAIN}
    together = {way for ways in TOGETHER for way in ways}
    apart = [[way] for way in ("one transaction", *WRONG) if way not in together]
    commands |= {ways[0]: [*PLAIN, *ways] for ways in (*TOGETHER, *apart)}
    options = ["--databases", "64"]
    with EmbeddedRedis(tcp=True, options=options) as server, ThreadPoolExecutor(3) as threads:
        bases = [f"{server.dsn.rpartition('/')[0]}/{number}" for number in range(len(commands))]
        found = list(threads.map(check_producer, commands.values(), bases))
    reports = dict(zip(commands, found, strict=True))
    return reports | {way: reports[ways[0]] for ways in TOGETHER for way in ways}


@pytest.mark.parametrize("name", ["client", "reference"])
def test_rrqs_own_producers_are_right_in_every_point(name: str, reports: dict[str, Report]) -> None:
    assert wrong(reports[name]) == {}
    assert reports[name].count("absent") == 0


@pytest.mark.parametrize("name", ["plain", "one transaction"])
def test_a_plain_producer_is_right_without_what_is_optional(
    name: str, reports: dict[str, Report]
) -> None:
    assert wrong(reports[name]) == {}
    optional = {
        f"job: {case['name']}"
        for case in vectors.cases("jobs")
        if {"unique_keys", "replacing"}.intersection(vectors.needs(case))
    }
    is_atomic = name == "one transaction"
    assert {one.name for one in reports[name].points if one.status == "absent"} == {
        *optional,
        "an idle worker is woken",
        *(() if is_atomic else ("hash and queue are written in one step",)),
    }


def test_the_jobs_of_a_producer_that_wrote_nothing_are_not_judged(
    reports: dict[str, Report],
) -> None:
    found = reports["another database"]

    assert {point.status for point in found.points[1:]} == {"absent"}
    assert {point.note for point in found.points[1:]} == {"not tried: nothing was written"}


@pytest.mark.parametrize("way", WRONG)
def test_a_wrong_producer_is_caught_by_what_it_wrote(way: str, reports: dict[str, Report]) -> None:
    point, part = WRONG[way]

    assert part in wrong(reports[way])[point]


def test_a_few_wrong_options_leave_the_other_jobs_right(reports: dict[str, Report]) -> None:
    for way in ("retries for attempts", "a key of the full name", "a job of its own"):
        assert len(wrong(reports[way])) <= 4, wrong(reports[way])


def wrong(report: Report) -> dict[str, str]:
    """What is wrong in a report, by the points' names."""
    return {point.name: point.note for point in report.points if point.status == "wrong"}


def test_a_database_that_holds_something_is_left_alone(redis_dsn: str) -> None:
    import redis

    with redis.Redis.from_url(redis_dsn) as client:
        client.set("mine", "1")
        with pytest.raises(RRQError, match="holds 1 key already: give an empty one"):
            check_producer(PLAIN, redis_dsn)
        assert client.keys() == [b"mine"]


def test_a_redis_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(RRQError, match=r"Redis at redis://localhost:1/0 cannot be used: "):
        check_producer(PLAIN, "redis://localhost:1/0")


def test_a_program_that_does_not_end_is_killed(redis_dsn: str) -> None:
    endless = [sys.executable, "-c", "import time; print('waiting', flush=True); time.sleep(600)"]

    report = check_producer(endless, redis_dsn, time_limit_seconds=1)

    assert (report.points[0].status, report.points[0].note) == ("wrong", "it was killed after 1 s")
    assert [line.text for line in report.points[0].lines] == ["waiting"]


def test_of_a_program_that_prints_without_end_the_last_lines_are_kept(redis_dsn: str) -> None:
    report = check_producer(["yes", "still waiting"], redis_dsn, time_limit_seconds=0.5)

    assert report.points[0].note == "it was killed after 0.5 s"
    assert report.points[0].lines[0].text == "still waiting"


def test_the_command_checks_on_a_redis_of_its_own() -> None:
    words = [sys.executable, "-m", "rrq", "producer", "check", "--json", "--", *REFERENCE]

    ran = subprocess.run(words, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout)
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    assert found["counts"]["wrong"] == found["counts"]["absent"] == 0
