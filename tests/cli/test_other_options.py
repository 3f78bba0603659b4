"""Options of `rrq debug`, and of the checks of executors and producers; `--show-completion`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from tests.support.commands import Rrq
from tests.support.documents import CHECKOUT
from tests.support.places import Place

RENAMED = f"""
    import asyncio
    import sys

    sys.path.insert(0, {str(CHECKOUT / "reference" / "python")!r})

    import check_handlers
    from stdio_executor import HANDLERS, main

    for name in ("echo", "sleep", "fail", "retry", "report", "print"):
        HANDLERS["my_" + name] = HANDLERS.pop(name)
    asyncio.run(main())
"""
"""An executor whose handlers have other names than the usual ones."""


def transactions(keys: Redis) -> int:
    """How many the server has run."""
    return int(keys.info("commandstats").get("cmdstat_exec", {"calls": 0})["calls"])


# -- rrq debug --------------------------------------------------------------------------


def test_fake_jobs_are_no_older_than_asked_for_and_written_so_many_at_once(
    rrq: Rrq, keys: Redis
) -> None:
    before, began = transactions(keys), datetime.now(UTC)

    code, *_ = rrq(
        *("debug", "generate-jobs", "--count", "20", "--age-hours", "0.5", "--batch-size", "7")
    )

    assert code == 0
    assert transactions(keys) - before == 3  # of 7, 7 and 6
    times = [keys.hget(key, "enqueue_time") for key in keys.scan_iter("rrq:job:*")]
    assert len(times) == 20
    oldest = min(datetime.fromisoformat(time) for time in times if time)
    # By default they would be spread over a day.
    assert began - oldest < timedelta(hours=0.5, minutes=1)


def test_a_stress_test_asks_for_the_function_given(rrq: Rrq, keys: Redis) -> None:
    code, *_ = rrq(
        *("debug", "stress-test", "--jobs-per-second", "20", "--duration", "0.2"),
        *("--function", "resize"),
    )

    assert code == 0
    names = {keys.hget(key, "function_name") for key in keys.scan_iter("rrq:job:*")}
    assert names == {"resize"}


# -- rrq executor check -----------------------------------------------------------------


def test_an_executor_is_checked_by_handlers_of_other_names_and_shows_every_line(
    rrq: Rrq, place: Place
) -> None:
    executor = place.write("executor.py", RENAMED)
    points = [
        "a failure is an error with its message",
        "a handler can ask for another attempt",
        "a cancelled request stops",
        "progress is reported",
        "what a handler prints stays off the protocol",
    ]

    code, output, _ = rrq(
        *("executor", "check", "--verbose", "--echo", "my_echo", "--sleep", "my_sleep"),
        *("--fail", "my_fail", "--retry", "my_retry", "--report", "my_report"),
        *("--print", "my_print", *(word for point in points for word in ("--only", point))),
        *("--", sys.executable, str(executor)),
    )

    table, lines = (part.splitlines() for part in output.split("\n\n"))
    assert code == 0, output
    status = dict(row.split("\t")[:2] for row in table[1:])
    assert [status[point] for point in points] == ["holds"] * 5
    # Without --verbose, only what is wrong is shown with its lines.
    assert {row.split("\t")[0] for row in lines[1:]} >= set(points)
    assert [row for row in lines if '"function_name":"my_retry"' in row]


def test_a_function_that_is_named_gets_the_arguments_given(rrq: Rrq, place: Place) -> None:
    executor = place.write("executor.py", RENAMED)

    code, output, _ = rrq(
        *("executor", "check", "--verbose", "--only", "hello", "--function", "my_echo"),
        *("--args", '["a"]', "--kwargs", '{"b": 1}', "--", sys.executable, str(executor)),
    )

    assert code == 0, output
    assert '"function_name":"my_echo","args":["a"],"kwargs":{"b": 1}' in output


@pytest.mark.parametrize(
    ("time_limit", "start_limit", "waited"), [("0.1", "0.3", "0.3"), ("0.2", "0.1", "0.2")]
)
def test_an_executor_that_says_nothing_is_given_up_after_the_longer_limit(
    rrq: Rrq, time_limit: str, start_limit: str, waited: str
) -> None:
    code, output, _ = rrq(
        *("executor", "check", "--time-limit", time_limit, "--start-limit", start_limit),
        *("--only", "hello", "--", "sleep", "60"),
    )

    assert code == 1
    assert f"check-1 is not answered within {waited} s" in output


# -- rrq producer check -----------------------------------------------------------------


def test_a_producer_has_so_long_as_its_limit_says(rrq: Rrq, redis_dsn: str) -> None:
    code, output, _ = rrq(
        *("producer", "check", "--time-limit", "0.2", "--redis-dsn", redis_dsn),
        *("--", "sleep", "60"),
    )

    assert code == 1
    assert "it was killed after 0.2 s" in output


def test_what_a_producer_printed_is_shown_also_where_nothing_is_wrong(rrq: Rrq) -> None:
    program = "import os, redis; redis.Redis.from_url(os.environ['RRQ_REDIS_DSN']).set('a', 'b')"
    command = ("--", sys.executable, "-c", f"{program}; print('enqueuing little')")

    _, terse, _ = rrq("producer", "check", *command)
    _, verbose, _ = rrq("producer", "check", "--verbose", *command)

    assert "\tenqueuing little\n" not in terse
    assert "\tenqueuing little\n" in verbose


# -- rrq --show-completion --------------------------------------------------------------


def test_the_script_that_is_shown_completes_in_a_shell_that_reads_it(place: Place) -> None:
    ended = place.run(
        *("bash", "-c", "rrq --show-completion > rrq.bash; . ./rrq.bash; complete -p rrq")
    )

    assert ended.stdout == "complete -o default -F _rrq_completion rrq\n"
    assert "_RRQ_COMPLETE=complete_bash" in (place.directory / "rrq.bash").read_text()
