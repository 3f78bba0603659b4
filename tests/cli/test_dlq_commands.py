"""`rrq dlq`: filters, `stats`, `inspect`, `requeue` and `delete`.

What plain `rrq dlq list` shows is in `test_look_commands.py`; what a sweep keeps true, in
`tests/store/test_dead_letters.py`.
"""

from __future__ import annotations

import io
import json
import re
import signal
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from redis import Redis

from rrq.embedded import EmbeddedRedis
from tests.support.commands import Rrq
from tests.support.dead_letters import bury
from tests.support.places import Place
from tests.support.terminals import CTRL_C, Terminal
from tests.support.waiting import eventually_blocking


@pytest.fixture
def dlq(rrq: Rrq) -> Rrq:
    """`rrq dlq` in this process."""
    return partial(rrq, "dlq")


def ids(table: str) -> list[str]:
    """The first column of a table as a pipe gets it."""
    return [line.split("\t")[0] for line in table.splitlines()[1:]]


def dead(redis: Redis, dlq: str = "default") -> list[str]:
    return redis.lrange(f"rrq:dlq:{dlq}", 0, -1)  # type: ignore[return-value]


def waiting(redis: Redis, queue: str = "mail") -> list[str]:
    return redis.zrange(f"rrq:queue:{queue}", 0, -1)  # type: ignore[return-value]


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


def various(redis: Redis) -> None:
    """Three dead letters that differ in everything that can be asked for."""
    bury(redis, ["mail"], completion_time=ago(hours=3))
    bury(
        redis,
        ["image"],
        function_name="python#resize",
        queue_name="rrq:queue:images",
        last_error="MemoryError",
        completion_time=ago(hours=2),
    )
    bury(redis, ["late"], queue_name="late", completion_time=ago(minutes=1))


FILTERS = [
    (("--queue", "images"), ["image"]),
    (("--queue", "rrq:queue:mail"), ["mail"]),
    (("--function", "resize"), ["image"]),
    (("--function", "send_email"), ["late", "mail"]),
    (("--error", "no such ADDRESS"), ["late", "mail"]),
    (("--since", "2h30m"), ["late", "image"]),
    (("--until", "1h"), ["image", "mail"]),
    (("--since", "150m", "--until", "1.5h"), ["image"]),
    (("--until", "2020-01-01T00:00:00Z"), []),
    (("--function", "send_email", "--until", "1h"), ["mail"]),
]


# -- list -------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "fitting"), FILTERS)
def test_only_dead_letters_that_fit_every_filter_are_listed(
    dlq: Rrq, keys: Redis, options: tuple[str, ...], fitting: list[str]
) -> None:
    various(keys)

    code, table, notes = dlq("list", *options)

    assert (code, ids(table)) == (0, fitting)
    count = len(fitting)
    none = "No dead letter in default fits.\n"
    assert notes == (f"Showing 1-{count} of {count}.\n" if fitting else none)


def test_a_page_of_those_that_fit_says_which_it_is(dlq: Rrq, keys: Redis) -> None:
    for number in range(9):
        bury(keys, [f"job-{number}"], queue_name="odd" if number % 2 else "even")
    options = ("list", "--queue", "even", "--limit", "2", "--batch-size", "2")

    _, table, notes = dlq(*options, "--offset", "1")
    assert ids(table) == ["job-6", "job-4"]
    assert notes == "Showing 2-3 and there are more.\n"

    _, table, notes = dlq(*options, "--offset", "4")
    assert (ids(table), notes) == (["job-0"], "Showing 5-5 of 5.\n")


def test_raw_lists_the_hashes_as_they_stand(dlq: Rrq, keys: Redis) -> None:
    bury(keys, ["a", "b"], added_by_somebody="x")

    _, output, notes = dlq("list", "--raw", "--limit", "1")

    assert (json.loads(output), notes) == ([keys.hgetall("rrq:job:b")], "")


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("text", ["yesterday", "1x", "", "99999999999999w"])
def test_what_is_no_time_is_wrong_usage(dlq: Rrq, option: str, text: str) -> None:
    code, output, notes = dlq("list", option, text)

    assert (code, output) == (2, "")
    assert option in notes
    assert "no time" in notes


# -- stats ------------------------------------------------------------------------------


def test_stats_show_what_dead_letters_have_in_common(dlq: Rrq, keys: Redis) -> None:
    for number in range(4):
        bury(keys, [f"job-{number}"], last_error=f"no user {number}\nTraceback")
    bury(
        keys,
        ["other"],
        function_name="resize",
        queue_name="rrq:queue:images",
        current_retries="1",
        completion_time="2026-01-02T12:00:00Z",
    )
    keys.lpush("rrq:dlq:default", "expired")

    code, output, notes = dlq("stats")

    assert (code, notes) == (0, "")
    assert output == (
        "dead letter queue\tdefault\n"
        "total\t6\n"
        "seen\t6\n"
        "expired\t1\n"
        "oldest\t2026-01-01T12:00:00+00:00\n"
        "newest\t2026-01-02T12:00:00+00:00\n"
        "average attempts\t2.6\n"
        "\njobs\tqueue\n4\tmail\n1\timages\n"
        "\njobs\tfunction\n4\tsend_email\n1\tresize\n"
        "\njobs\terror\texample id\texample\n"
        "4\tno user <number>\tjob-3\tno user 3\n"
        "1\tValueError: no such address\tother\tValueError: no such address\n"
    )


def test_stats_look_at_the_newest_and_say_so(dlq: Rrq, keys: Redis) -> None:
    bury(keys, [f"old-{number}" for number in range(5)], queue_name="images")
    bury(keys, [f"new-{number}" for number in range(3)])

    code, output, notes = dlq("stats", "--max-scan", "3", "--json")

    assert (code, json.loads(output)["total"], json.loads(output)["seen"]) == (0, 8, 3)
    assert json.loads(output)["queues"] == [{"queue": "mail", "count": 3}]
    assert "Looked at the newest 3 of 8 dead letters; --max-scan 0 looks at all." in notes
    assert json.loads(dlq("stats", "--max-scan", "0", "--json")[1])["seen"] == 8


def test_as_json_stats_are_one_object(dlq: Rrq, keys: Redis) -> None:
    bury(keys, ["a"], dlq="other", queue_name="images")
    bury(keys, ["b"], dlq="other")

    stats = json.loads(dlq("stats", "--json", "--top", "1", "--dlq-name", "other")[1])

    assert (stats["total"], stats["average_attempts"]) == (2, 3)
    assert stats["queues"] == [{"queue": "mail", "count": 1}]
    assert stats["functions"] == [{"function": "send_email", "count": 2}]
    [error] = stats["errors"]
    assert (error["pattern"], error["count"]) == ("ValueError: no such address", 2)
    assert error["example_id"] == "b"


def test_stats_of_nothing_are_a_total_of_none(dlq: Rrq) -> None:
    code, output, _ = dlq("stats")

    assert code == 0
    assert "total\t0\n" in output
    assert "average attempts\t-\n" in output


# -- inspect ----------------------------------------------------------------------------


def test_a_dead_letter_is_shown_whole_with_every_attempt(dlq: Rrq, keys: Redis) -> None:
    bury(keys, ["a"])

    code, output, notes = dlq("inspect", "a")

    assert (code, notes) == (0, "")
    lines = [line.split("\t") for line in output.splitlines()]
    assert lines[0] == ["id", "a"]
    assert ["args", '["ada@example.org"]'] in lines
    assert ["dead letter queue", "default"] in lines
    assert ["failed attempts", "3 of 3"] in lines
    assert lines[-1] == ["3", "error", "-", "-", "-", "-", "no such address"]


def test_queues_are_named_bare_however_the_producer_wrote_them(dlq: Rrq, keys: Redis) -> None:
    bury(keys, ["a"], queue_name="rrq:queue:mail", dlq_name="rrq:dlq:default")

    lines = [line.split("\t") for line in dlq("inspect", "a")[1].splitlines()]
    shown = json.loads(dlq("inspect", "a", "--json")[1])
    [listed] = json.loads(dlq("list", "--json")[1])

    assert ["queue", "mail"] in lines
    assert ["dead letter queue", "default"] in lines
    assert (shown["queue"], shown["dead_letter_queue"], listed["queue"]) == (
        "mail",
        "default",
        "mail",
    )


def bury_key_error(redis: Redis) -> None:
    """A dead letter of a handler that raised KeyError("id"), of which `str` makes little."""
    attempt = {"attempt": 3, "outcome": "error", "error": "'id'", "error_type": "KeyError"}
    bury(redis, ["a"], last_error="'id'", attempts=json.dumps([attempt]))


@pytest.mark.parametrize(
    "command",
    [
        ("dlq", "list"),
        ("dlq", "list", "--error", "keyerror: 'id'"),
        ("dlq", "inspect", "a"),
        ("dlq", "stats"),
        ("dlq", "requeue", "--error", "KeyError", "--dry-run"),
        ("dlq", "delete", "--all", "--dry-run"),
        ("job", "show", "a"),
        ("job", "trace", "a"),
        ("job", "explain", "a"),
    ],
    ids=" ".join,
)
def test_an_error_is_shown_with_its_type(rrq: Rrq, keys: Redis, command: tuple[str, ...]) -> None:
    bury_key_error(keys)

    code, output, _ = rrq(*command)

    assert code == 0
    assert "KeyError: 'id'" in output


def test_as_json_the_type_of_an_error_stands_beside_its_text(rrq: Rrq, keys: Redis) -> None:
    bury_key_error(keys)

    shown = [
        json.loads(rrq("dlq", "list", "--json")[1])[0],
        json.loads(rrq("dlq", "inspect", "a", "--json")[1]),
        json.loads(rrq("dlq", "requeue", "--all", "--dry-run", "--json")[1])[0],
        json.loads(rrq("job", "show", "a", "--json")[1]),
    ]

    assert {(one["error"], one["error_type"]) for one in shown} == {("'id'", "KeyError")}


def test_an_error_is_requeued_by_its_type(dlq: Rrq, keys: Redis) -> None:
    bury_key_error(keys)
    bury(keys, ["b"])

    assert dlq("requeue", "--error", "keyerror")[0] == 0

    assert dead(keys) == ["b"]


def test_as_json_or_raw_a_dead_letter_keeps_its_history(dlq: Rrq, keys: Redis) -> None:
    bury(keys, ["a"])

    shown = json.loads(dlq("inspect", "a", "--json")[1])
    assert shown["attempts"] == [{"attempt": 3, "outcome": "error", "error": "no such address"}]
    assert shown["args"] == ["ada@example.org"]
    assert json.loads(dlq("inspect", "a", "--raw")[1]) == keys.hgetall("rrq:job:a")


@pytest.mark.parametrize("history", ["{}", "[1, null]", "no JSON", "[" * 100_000])
def test_a_history_that_cannot_be_read_hides_nothing_else(
    dlq: Rrq, keys: Redis, history: str
) -> None:
    bury(keys, ["a"], attempts=history)

    code, output, _ = dlq("inspect", "a")

    assert code == 0
    assert "function\tsend_email\n" in output


def test_a_dead_letter_that_cannot_be_read_is_shown_as_its_hash(dlq: Rrq, keys: Redis) -> None:
    bury(keys, ["a"], job_args="no JSON")

    code, output, notes = dlq("inspect", "a")

    assert code == 0
    assert "`job_args` cannot be read" in notes
    assert json.loads(output)["job_args"] == "no JSON"


def test_a_job_that_is_no_dead_letter_is_an_error_that_says_what_it_is(
    dlq: Rrq, keys: Redis
) -> None:
    bury(keys, ["a"], status="COMPLETED")

    assert dlq("inspect", "a") == (
        1,
        "",
        "error: Job a is no dead letter, it is COMPLETED: see `rrq job show`\n",
    )
    code, _, notes = dlq("inspect", "b")
    assert (code, notes) == (1, "error: There is no job b: check the id, or it has expired\n")


# -- requeue and delete -----------------------------------------------------------------


@pytest.mark.parametrize("command", ["requeue", "delete"])
@pytest.mark.parametrize("options", [(), ("--limit", "1"), ("--dry-run",)])
def test_without_a_filter_or_all_nothing_is_done(
    dlq: Rrq, keys: Redis, command: str, options: tuple[str, ...]
) -> None:
    bury(keys, ["a"])

    code, output, notes = dlq(command, *options)

    assert (code, output) == (2, "")
    assert "--all" in notes
    assert dead(keys) == ["a"]


@pytest.mark.parametrize(("options", "fitting"), FILTERS)
def test_only_dead_letters_that_fit_every_filter_are_requeued(
    dlq: Rrq, keys: Redis, options: tuple[str, ...], fitting: list[str]
) -> None:
    various(keys)

    code, output, notes = dlq("requeue", *options)

    assert (code, notes) == (0, "")
    assert output == f"requeued\t{len(fitting)}\ninto\teach its own queue\n"
    assert dead(keys) == [one for one in ("late", "image", "mail") if one not in fitting]
    queued = [waiting(keys, queue) for queue in ("late", "images", "mail")]
    assert [one for some in queued for one in some] == fitting


@pytest.mark.parametrize("command", ["requeue", "delete"])
def test_a_dry_run_lists_those_that_it_would_be_and_changes_nothing(
    dlq: Rrq, keys: Redis, command: str
) -> None:
    various(keys)
    keys.lpush("rrq:dlq:default", "expired")
    before = {key: keys.dump(key) for key in keys.keys("*")}

    code, table, notes = dlq(command, "--all", "--limit", "2", "--dry-run")

    assert (code, ids(table)) == (0, ["mail", "image"])
    assert notes == f"Without --dry-run, 2 jobs would be {command.rstrip('e')}ed.\n"
    _, _, notes = dlq(command, "--job-id", "mail", "--dry-run")
    assert notes == f"Without --dry-run, 1 job would be {command.rstrip('e')}ed.\n"
    assert {key: keys.dump(key) for key in keys.keys("*")} == before


def test_all_are_requeued_into_another_queue(dlq: Rrq, keys: Redis) -> None:
    various(keys)

    answer = json.loads(dlq("requeue", "--all", "--target-queue", "rescue", "--json")[1])

    assert (answer["requeued"], answer["into"]) == (3, "rescue")
    assert waiting(keys, "rescue") == ["mail", "image", "late"]


def test_one_job_is_requeued_by_its_id_and_one_that_is_not_there_is_an_error(
    dlq: Rrq, keys: Redis
) -> None:
    bury(keys, ["a", "b", "c"], dlq="other")
    options = ("requeue", "--dlq-name", "other", "--job-id", "b")

    assert dlq(*options)[0] == 0
    assert (waiting(keys), dead(keys, "other")) == (["b"], ["c", "a"])
    assert dlq(*options) == (1, "", "error: Job b is no dead letter in other that fits\n")


def test_what_cannot_be_requeued_is_told_and_fails_the_command(dlq: Rrq, keys: Redis) -> None:
    bury(keys, ["a", "b"])
    keys.set("rrq:queue:mail", "x")

    code, output, notes = dlq("requeue", "--all")

    assert (code, output) == (1, "refused\t2\ninto\teach its own queue\n")
    assert notes.startswith("warning: 2 stay:")
    assert dead(keys) == ["b", "a"]


def test_no_more_jobs_are_requeued_in_a_second_than_the_rate(dlq: Rrq, keys: Redis) -> None:
    bury(keys, [f"job-{number}" for number in range(30)])
    began = time.monotonic()

    code, _, _ = dlq("requeue", "--all", "--rate", "40")

    assert code == 0
    assert time.monotonic() - began >= 30 / 40
    assert len(waiting(keys)) == 30


@pytest.mark.parametrize(
    "option", [("--rate", "nan"), ("--rate", "inf"), ("--rate", "0"), ("--target-queue", "")]
)
def test_a_rate_or_a_target_that_cannot_be_is_wrong_usage(
    dlq: Rrq, keys: Redis, option: tuple[str, str]
) -> None:
    bury(keys, ["a"])

    code, output, notes = dlq("requeue", "--all", *option)

    assert (code, output) == (2, "")
    assert option[0] in notes
    assert dead(keys) == ["a"]


def test_interrupted_it_says_how_many_were_requeued_and_the_same_command_goes_on(
    place: Place, redis_dsn: str, keys: Redis
) -> None:
    everything = [f"job-{number:03}" for number in range(300)]
    bury(keys, everything)
    command = ["rrq", "dlq", "requeue", "--all"]
    environment = place.environment(RRQ_REDIS_DSN=redis_dsn)

    terminal = Terminal([*command, "--rate", "50"], place.directory, environment)
    terminal.shows("Requeueing dead letters.* [1-9][0-9]*/300")
    terminal.type(CTRL_C)
    code = terminal.wait(10)

    assert code == 130
    told = re.search(r"Interrupted: (\d+) jobs were requeued", terminal.written)
    assert told, terminal.written
    assert "Traceback" not in terminal.written
    done = int(told[1])
    assert 0 < done < 300
    assert waiting(keys) == everything[:done]
    assert dead(keys) == everything[done:][::-1]

    ended = place.run(*command, RRQ_REDIS_DSN=redis_dsn)

    assert ended.stdout.startswith(f"requeued\t{300 - done}\n")
    assert (waiting(keys), dead(keys)) == (everything, [])


def both_places(redis: Redis) -> list[str]:
    """What is in the dead letter queue or in the jobs' own queue, in the order of deaths."""
    return sorted(dead(redis) + waiting(redis))


def test_killed_it_leaves_every_job_in_one_place(place: Place, redis_dsn: str, keys: Redis) -> None:
    everything = [f"job-{number:03}" for number in range(300)]
    bury(keys, everything)
    command = ["rrq", "dlq", "requeue", "--function", "send_email", "--rate", "100"]

    running = place.start(*command, RRQ_REDIS_DSN=redis_dsn)
    eventually_blocking(lambda: waiting(keys), 20, "the first requeued job")
    running.stop(signal.SIGKILL)

    assert 0 < len(waiting(keys)) < 300
    assert both_places(keys) == everything


def test_when_redis_dies_it_says_how_many_were_requeued_until_then(
    place: Place, server: EmbeddedRedis
) -> None:
    everything = [f"job-{number:03}" for number in range(300)]
    with Redis.from_url(server.dsn, decode_responses=True) as redis:
        bury(redis, everything)
        command = ["rrq", "dlq", "requeue", "--all", "--rate", "100"]
        running = place.start(*command, RRQ_REDIS_DSN=server.dsn)
        eventually_blocking(lambda: waiting(redis), 20, "the first requeued job")
        server.kill()
        ended = running.wait()
        server.start()

        assert ended.code == 1
        told, error = ended.stderr.splitlines()
        assert re.fullmatch(r"Until then \d+ jobs were requeued\.", told)
        assert error.startswith("error: Redis cannot be reached")
        assert both_places(redis) == everything


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nothing_is_deleted_before_somebody_agrees(
    dlq: Rrq, keys: Redis, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    bury(keys, ["a", "b"])
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    code, output, notes = dlq("delete", "--all")

    assert (code, output.strip()) == (1, "")
    assert notes.startswith("Delete 2 dead letters for ever?")
    assert "Nothing was done." in notes
    assert keys.exists("rrq:job:a", "rrq:job:b") == 2
    assert dead(keys) == ["b", "a"]


def test_those_that_fit_are_deleted_when_somebody_agrees(
    dlq: Rrq, keys: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    various(keys)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    code, output, _ = dlq("delete", "--function", "send_email", "--limit", "1")

    assert (code, output.strip()) == (0, "deleted\t1")
    assert dead(keys) == ["late", "image"]
    assert not keys.exists("rrq:job:mail")


def test_with_yes_nobody_is_asked_and_expired_entries_go_as_well(dlq: Rrq, keys: Redis) -> None:
    various(keys)
    keys.lpush("rrq:dlq:default", "expired")

    code, output, notes = dlq("delete", "--all", "--yes")

    assert (code, output, notes) == (0, "deleted\t3\nremoved as expired\t1\n", "")
    assert keys.keys("*") == []
