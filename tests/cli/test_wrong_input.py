"""What commands say to input that is wrong: the option, the place and the remedy, on stderr."""

from __future__ import annotations

import subprocess
import sys

import pytest
from redis import Redis

from rrq.embedded import EmbeddedRedis
from tests.support.commands import Rrq
from tests.support.configuration import write
from tests.support.ports import free_port


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("job list --limit 0", "--limit: expected a whole number from 1 to 1,000,000,000."),
        ("job list --limit many", "--limit: expected a whole number from 1 to 1,000,000,000."),
        ("job list --limit 1e30", "--limit: expected a whole number from 1 to 1,000,000,000."),
        (f"dlq list --offset {10**20}", "--offset: expected a whole number from 0 to 1,000,000"),
        ("queue stats --window 5 --window 120", "--window: expected a number from 1 to 119."),
        ("check --wait inf", "--wait: expected a number from 0 to 1,000,000,000."),
        ("check --wait=-1", "--wait: expected a number from 0 to 1,000,000,000."),
        ("dlq requeue --all --rate inf", "--rate: expected a number from 0.01 to 1,000,000,000."),
        ("debug stress-test --duration 1e300", "--duration: expected a number from 0.1 to 1,"),
        ("debug generate-jobs --age-hours 1e9", "--age-hours: expected a number from 0 to 876,0"),
        ("producer check --time-limit inf -- true", "--time-limit: expected a number from 0.1 "),
        ("worker run --exit-when-stuck nan", "--exit-when-stuck: expected a number from 1 to "),
        ("job list --since 1h --until 2h", "--since: it is later than --until: nothing is betw"),
        ("dlq list --since 1h --until 2h", "--since: it is later than --until: nothing is betw"),
        ("job list --since 9999999w", "--since: that is too long ago."),
        ("job list --queue=", "--queue: a queue needs a name."),
        ("queue stats --queue=", "--queue: a queue needs a name."),
        ("queue pause rrq:queue:", "NAME: a queue needs a name."),
        ("queue resume rrq:queue:", "NAME: a queue needs a name."),
        ("queue inspect rrq:queue:", "NAME: a queue needs a name."),
        ("producer check --redis-dsn http://u:geheim@h -- true", "--redis-dsn: it is 'http://***"),
        ("executor check --args x -- cat", "--args: it is no JSON: "),
    ],
)
def test_a_wrong_value_is_told_with_its_option_and_what_is_expected(
    rrq: Rrq, words: str, said: str
) -> None:
    code, output, notes = rrq(*words.split())

    assert (code, output) == (2, "")
    assert notes.startswith(f"error: Invalid value for {said}")
    assert "geheim" not in notes


def test_nothing_is_paused_whose_name_is_empty(rrq: Rrq, keys: Redis) -> None:
    assert rrq("queue", "pause", "")[0] == 2

    assert keys.smembers("rrq:paused") == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("job", "show", ""), "There is no job '': check the id, or it has expired"),
        (("job", "explain", "x"), "There is no job x: check the id, or it has expired"),
        (("dlq", "inspect", "x"), "There is no job x: check the id, or it has expired"),
        (
            ("queue", "inspect", "x"),
            "There is no queue x. `rrq queue list --show-empty` shows all.",
        ),
        (
            ("queue", "stats", "--queue", "x"),
            "There is no queue x. `rrq queue list --show-empty` shows all.",
        ),
        (
            ("cron", "run", ""),
            "There is no cron job ''. `rrq cron list` shows those that are configured.",
        ),
    ],
)
def test_what_is_not_there_is_named_with_where_to_look(
    rrq: Rrq, words: tuple[str, ...], said: str
) -> None:
    assert rrq(*words) == (1, "", f"error: {said}\n")


def test_where_no_dead_letter_is_the_queue_is_named(rrq: Rrq) -> None:
    assert rrq("dlq", "list", "--dlq-name", "mial")[2] == "No dead letter in mial.\n"
    assert rrq("dlq", "list", "--queue", "mial")[2] == "No dead letter in default fits.\n"


def test_a_server_that_is_not_there_is_told_with_its_address_once(rrq: Rrq) -> None:
    port = free_port()

    code, _, notes = rrq("queue", "list", "--redis-dsn", f"redis://127.0.0.1:{port}/0")

    assert code == 1
    assert notes.startswith(
        f"error: Redis cannot be reached at 127.0.0.1:{port} (Connection refused). Start it, "
    )


def test_a_database_that_is_not_there_is_told_with_the_remedy(
    rrq: Rrq, redis_server: EmbeddedRedis
) -> None:
    base, mark, _ = redis_server.dsn.partition("?db=")
    dsn = f"{base}{mark}9999" if mark else f"{redis_server.dsn.rpartition('/')[0]}/9999"

    code, _, notes = rrq("queue", "list", "--redis-dsn", dsn)

    assert code == 1
    assert notes.endswith(
        "DB index is out of range. Correct `redis_dsn`, RRQ_REDIS_DSN or --redis-dsn.\n"
    )


@pytest.mark.parametrize("command", ["cron list", "cron run a", "check --config-only"])
def test_a_wrong_cron_job_is_told_with_its_line(rrq: Rrq, command: str) -> None:
    write(
        '[rrq.executors.python]\ncmd = ["cat"]\n'
        '[[rrq.cron_jobs]]\nfunction_name = "a"\nschedule = "61 * * * *"\n'
        '[[rrq.cron_jobs]]\nfunction_name = "b"\nschedule = "* * * * *"\ntimezone = "Moon"\n'
    )

    code, _, notes = rrq(*command.split())

    assert code == 2
    first, second = notes.splitlines()
    assert first.startswith("error: rrq.toml:5: [[rrq.cron_jobs]] 'a': the schedule '61 * * * *'")
    assert second.startswith("rrq.toml:8: [[rrq.cron_jobs]] 'b': there is no time zone 'Moon'")


def test_plugins_are_listed_though_the_file_is_broken_and_that_is_said(rrq: Rrq) -> None:
    write("[rrq\n")

    code, output, notes = rrq("plugins", "list")

    assert code == 0
    assert "\npython\t" in output
    assert notes.startswith("warning: rrq.toml:1:5: not valid TOML")


def test_a_closed_stdout_is_no_error(rrq: Rrq, redis_dsn: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", 'exec "$0" -m rrq queue list --redis-dsn "$1" >&-', sys.executable, redis_dsn],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "No job waits in any queue.\n")
