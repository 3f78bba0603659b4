"""The commands that look and change nothing: `queue list`, `job show`, `dlq list`, and what all
of them have in common.

The jobs that they look at stand in Redis as any producer and any worker of 0.9 leaves them.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rrq.sync_client import SyncRRQClient
from tests.support.commands import Rrq, rows
from tests.support.configuration import write
from tests.support.ports import free_port


def ended(keys: Redis, job_id: str, **fields: str) -> None:
    """A job as a worker of 0.9 left it: failed twice, and in the dead letter queue."""
    began = datetime(2026, 1, 1, 12, tzinfo=UTC)
    stored = {
        "id": job_id,
        "function_name": "send_email",
        "job_args": '["ada@example.org"]',
        "job_kwargs": '{"subject": "Grüße"}',
        "enqueue_time": began.isoformat(),
        "status": "FAILED",
        "current_retries": "2",
        "max_retries": "2",
        "queue_name": "rrq:queue:mail",
        "next_scheduled_run_time": began.isoformat(),
        "start_time": (began + timedelta(seconds=1)).isoformat(),
        "completion_time": (began + timedelta(seconds=3.5)).isoformat(),
        "worker_id": "rrq_worker_1",
        "result": "null",
        "last_error": "ValueError: no such address\nin line 3",
        **fields,
    }
    keys.hset(f"rrq:job:{job_id}", mapping=stored)
    keys.lpush("rrq:dlq:default", job_id)


# -- rrq queue list ---------------------------------------------------------------------


HEADINGS = (
    "queue\twaiting\tdue\tfirst due\tlast due\tpaused"
    "\tenqueued\tcompleted\tfailed\tretried\tlost\tper minute"
)


def test_queues_are_listed_with_what_waits_what_is_due_and_since_when(
    rrq: Rrq, producer: SyncRRQClient
) -> None:
    producer.enqueue("work", _queue_name="mail")
    producer.enqueue("work", _queue_name="mail", _defer_by=7_290)

    code, table, notes = rrq("queue", "list")

    assert (code, notes) == (0, "")
    assert table.splitlines()[0] == HEADINGS
    ((queue, waiting, due, first_due, last_due, paused, *counted),) = rows(table)
    assert counted == ["2", "0", "0", "0", "0", "0"]
    assert (queue, waiting, due, paused) == ("mail", "2", "1", "no")
    first, last = datetime.fromisoformat(first_due), datetime.fromisoformat(last_due)
    assert abs((last - first).total_seconds() - 7_290) < 30
    assert first_due.endswith("+00:00")


def test_an_empty_queue_is_listed_on_request_only(rrq: Rrq, producer: SyncRRQClient) -> None:
    job = producer.enqueue("work", _queue_name="mail")
    assert job is not None
    producer.cancel(job)

    assert rrq("queue", "list") == (
        0,
        HEADINGS + "\n",
        "No job waits in any queue.\n",
    )
    listed = [row[:6] for row in rows(rrq("queue", "list", "--show-empty")[1])]
    assert ["mail", "0", "0", "-", "-", "no"] in listed


def test_as_json_a_queue_has_numbers_and_times(rrq: Rrq, producer: SyncRRQClient) -> None:
    before = datetime.now(UTC)
    producer.enqueue("work", _queue_name="mail")

    _, output, _ = rrq("queue", "list", "--json")

    (queue,) = json.loads(output)
    assert (queue["queue"], queue["waiting"], queue["due"]) == ("mail", 1, 1)
    due_at = datetime.fromisoformat(queue["first_due"])
    assert queue["last_due"] == queue["first_due"]
    # The server's clock is this machine's, but told in milliseconds.
    assert abs(due_at - before) < timedelta(seconds=5)


def test_the_queue_of_a_plain_producer_is_listed_if_the_configuration_names_it(
    rrq: Rrq, keys: Redis
) -> None:
    write('[rrq.executors.python]\ncmd = ["cat"]\n[rrq.routing]\nimages = "python"\n')
    for queue in ("default", "images"):
        keys.zadd(f"rrq:queue:{queue}", {"job-1": time.time() * 1000})

    _, table, _ = rrq("queue", "list")

    assert [row[:2] for row in rows(table)] == [["default", "1"], ["images", "1"]]


# -- rrq job show -----------------------------------------------------------------------


def test_a_job_is_shown_in_full(rrq: Rrq, keys: Redis) -> None:
    ended(keys, "job-1")

    code, details, notes = rrq("job", "show", "job-1")

    assert (code, notes) == (0, "")
    assert [line.split("\t") for line in details.splitlines()] == [
        ["id", "job-1"],
        ["status", "FAILED"],
        ["function", "send_email"],
        ["queue", "mail"],
        ["enqueued", "2026-01-01T12:00:00+00:00"],
        ["due", "2026-01-01T12:00:00+00:00"],
        ["started", "2026-01-01T12:00:01+00:00"],
        ["ended", "2026-01-01T12:00:03.500000+00:00"],
        ["duration", "2.5 s"],
        ["worker", "rrq_worker_1"],
        ["failed attempts", "2 of 2"],
        ["lost", "0"],
        ["args", '["ada@example.org"]'],
        ["kwargs", '{"subject": "Grüße"}'],
        ["result", "-"],
        ["error", "ValueError: no such address\\nin line 3"],
    ]


def test_as_json_a_job_keeps_the_kinds_of_its_values(rrq: Rrq, producer: SyncRRQClient) -> None:
    job = producer.enqueue("work", 1, [None], flag=True)
    assert job is not None

    _, output, _ = rrq("job", "show", job.id, "--json")

    shown: dict[str, Any] = json.loads(output)
    assert (shown["id"], shown["status"]) == (job.id, "PENDING")
    assert (shown["args"], shown["kwargs"]) == ([1, [None]], {"flag": True})
    assert shown["started"] is None


def test_raw_shows_the_hash_as_it_stands(rrq: Rrq, keys: Redis) -> None:
    ended(keys, "job-1", added_by_somebody="x")

    _, output, _ = rrq("job", "show", "job-1", "--raw")

    assert json.loads(output) == keys.hgetall("rrq:job:job-1")


def test_a_job_that_is_not_there_is_an_error_of_one_line(rrq: Rrq) -> None:
    assert rrq("job", "show", "job-9") == (
        1,
        "",
        "error: There is no job job-9: check the id, or it has expired\n",
    )


def test_a_job_without_an_id_is_wrong_usage(rrq: Rrq) -> None:
    assert rrq("job", "show") == (
        2,
        "",
        "error: Missing argument ID.\nTry `rrq job show --help`.\n",
    )


# -- rrq dlq list -----------------------------------------------------------------------


def test_dead_letters_are_listed_the_newest_first_each_error_in_one_line(
    rrq: Rrq, keys: Redis
) -> None:
    for number in range(3):
        ended(keys, f"job-{number}", last_error=f"error {number}\nand more")

    code, table, notes = rrq("dlq", "list")

    assert code == 0
    assert table.splitlines()[0] == "id\tfunction\tqueue\terror\tfailed at\tattempts"
    at = "2026-01-01T12:00:03.500000+00:00"
    assert rows(table) == [
        [f"job-{number}", "send_email", "mail", f"error {number}", at, "2"] for number in (2, 1, 0)
    ]
    assert notes == "Showing 1-3 of 3.\n"


def test_a_page_of_dead_letters_says_which_it_is(rrq: Rrq, keys: Redis) -> None:
    for number in range(5):
        ended(keys, f"job-{number}")

    _, table, notes = rrq("dlq", "list", "--limit", "2", "--offset", "1")

    assert [row[0] for row in rows(table)] == ["job-3", "job-2"]
    assert notes == "Showing 2-3 of 5.\n"


def test_a_dead_letter_whose_hash_has_expired_is_listed_as_such(rrq: Rrq, keys: Redis) -> None:
    keys.lpush("rrq:dlq:default", "job-1")

    _, table, _ = rrq("dlq", "list")

    assert rows(table) == [["job-1", "-", "-", "(its hash has expired)", "-", "-"]]


@pytest.mark.parametrize("name", ["mail", "rrq:dlq:mail"])
def test_another_dead_letter_queue_is_listed_by_its_bare_or_its_full_name(
    rrq: Rrq, keys: Redis, name: str
) -> None:
    ended(keys, "job-1")
    keys.lmove("rrq:dlq:default", "rrq:dlq:mail")

    _, table, _ = rrq("dlq", "list", "--dlq-name", name)

    assert [row[0] for row in rows(table)] == ["job-1"]
    assert rrq("dlq", "list")[2] == "No dead letter in default.\n"


def test_as_json_dead_letters_keep_the_whole_error_and_nothing_else_is_said(
    rrq: Rrq, keys: Redis
) -> None:
    ended(keys, "job-1")

    _, output, notes = rrq("dlq", "list", "--json")

    (letter,) = json.loads(output)
    assert letter["error"] == "ValueError: no such address\nin line 3"
    assert letter["attempts"] == 2
    assert notes == ""


@pytest.mark.parametrize(("option", "value"), [("--limit", "0"), ("--offset", "-1")])
def test_a_page_that_cannot_be_is_wrong_usage(rrq: Rrq, option: str, value: str) -> None:
    code, output, notes = rrq("dlq", "list", option, value)

    assert (code, output) == (2, "")
    assert option in notes.splitlines()[0]
    assert notes.splitlines()[1:] == ["Try `rrq dlq list --help`."]


# -- all of them ------------------------------------------------------------------------

LOOKS = (("queue", "list"), ("job", "show", "job-1"), ("dlq", "list"), ("check",), ("doctor",))


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_a_redis_that_is_not_there_is_an_error_of_one_line(
    rrq: Rrq, command: tuple[str, ...]
) -> None:
    port = free_port()

    code, output, notes = rrq(*command, "--redis-dsn", f"redis://:geheim@localhost:{port}/0")

    assert (code, output) == (1, "")
    assert notes.startswith(f"error: Redis cannot be reached at localhost:{port} (")
    assert "geheim" not in notes
    assert ".)" not in notes
    assert notes.count("\n") == 1


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_nothing_in_redis_is_changed_by_looking(
    rrq: Rrq, keys: Redis, producer: SyncRRQClient, command: tuple[str, ...]
) -> None:
    ended(keys, "job-1")
    producer.enqueue("work")
    before = {key: keys.dump(key) for key in keys.keys("*")}

    rrq(*command)

    assert {key: keys.dump(key) for key in keys.keys("*")} == before
