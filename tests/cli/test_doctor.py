"""`rrq doctor` as people and scripts use it. What it finds and mends is in `tests/doctor/`."""

from __future__ import annotations

import io
import json
from functools import partial

import pytest
from redis import Redis

from tests.support.commands import Rrq
from tests.support.dead_letters import bury
from tests.support.distributions import Site
from tests.support.places import Place
from tests.support.ports import free_port
from tests.support.terminals import Terminal

NO_TIME = ("--patience", "0")


@pytest.fixture
def doctor(rrq: Rrq) -> Rrq:
    """`rrq doctor` in this process."""
    return partial(rrq, "doctor")


def break_some(redis: Redis) -> None:
    """Two ids that are no jobs, and a key of the wrong type, which nobody can mend."""
    redis.zadd("rrq:queue:mail", {"nothing-1": 1, "nothing-2": 1})
    redis.set("rrq:queue:odd", "x")


# -- looking ----------------------------------------------------------------------------


def test_where_nothing_is_wrong_it_says_so_and_how_much_it_looked_at(
    doctor: Rrq, keys: Redis
) -> None:
    bury(keys, ["a"])

    assert doctor() == (
        0,
        "Nothing is wrong: 2 keys, 1 job, 0 queued ids, 0 leases and 1 dead letter were "
        "looked at.\n",
        "",
    )


def test_each_finding_is_listed_and_each_kind_explained(doctor: Rrq, keys: Redis) -> None:
    break_some(keys)

    code, output, notes = doctor(*NO_TIME)

    assert code == 1
    findings, kinds = (part.splitlines() for part in output.split("\n\n"))
    assert findings == [
        "kind\tkey\tjob\tdetail",
        "wrong-type\trrq:queue:odd\t-\ta string instead of a zset",
        "queued-without-hash\trrq:queue:mail\tnothing-1\t-",
        "queued-without-hash\trrq:queue:mail\tnothing-2\t-",
    ]
    assert kinds[0] == "findings\tkind\twhat it means"
    assert kinds[1].startswith("2\tqueued-without-hash\tThe id waits in a queue, but there is no")
    assert kinds[2].startswith("1\twrong-type\t")
    assert notes.startswith("3 are wrong: 2 keys,")


def test_as_json_findings_come_with_their_meaning_and_remedy(doctor: Rrq, keys: Redis) -> None:
    break_some(keys)

    code, output, notes = doctor("--json", *NO_TIME)

    assert (code, notes) == (1, "")
    report = json.loads(output)
    assert (report["healthy"], report["complete"]) == (False, True)
    assert report["looked_at"] == {
        "keys": 2,
        "jobs": 0,
        "queued": 2,
        "leased": 0,
        "dead_letters": 0,
    }
    assert report["findings"][1] == {
        "kind": "queued-without-hash",
        "key": "rrq:queue:mail",
        "job_id": "nothing-1",
        "count": 1,
        "detail": "",
        "meaning": "The id waits in a queue, but there is no job: nothing will run.",
        "remedy": "take the id out of the queue",
        "outcome": None,
    }
    assert report["findings"][0]["remedy"] is None


def test_at_the_limit_it_stops_and_says_that_there_may_be_more(doctor: Rrq, keys: Redis) -> None:
    break_some(keys)

    code, output, notes = doctor("--limit", "2", *NO_TIME)

    assert code == 1
    assert len(output.split("\n\n")[0].splitlines()) == 3
    assert "There may be more: --limit was reached." in notes
    assert json.loads(doctor("--limit", "2", "--json", *NO_TIME)[1])["complete"] is False
    assert doctor("--limit", "0", *NO_TIME)[2].startswith("3 are wrong")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_a_terminal_obeys_is_escaped(
    doctor: Rrq, keys: Redis, options: tuple[str, ...]
) -> None:
    keys.zadd("rrq:queue:\x1b]0;owned\x07", {"\x1b[2Jowned\n12:00 forged": 1})

    _, output, notes = doctor("--repair", "--yes", *options, *NO_TIME)

    assert "owned" in output
    assert not {"\x1b", "\x07"} & set(output + notes)
    assert not [line for line in output.splitlines() if line.startswith("12:00")]


def test_a_redis_that_is_not_there_is_an_error_of_one_line(doctor: Rrq) -> None:
    port = free_port()

    code, output, notes = doctor("--redis-dsn", f"redis://localhost:{port}/0")

    assert (code, output) == (1, "")
    assert notes.startswith(f"error: Redis cannot be reached at localhost:{port}")
    assert notes.count("\n") == 1


def test_no_plugin_is_imported_for_it(site: Site, redis_dsn: str) -> None:
    site.install("rrq-bad", "raise SystemExit('imported')")

    ran = site.rrq("doctor", RRQ_REDIS_DSN=redis_dsn)

    assert (ran.returncode, ran.stderr) == (0, "")


# -- mending ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nothing_is_mended_before_somebody_agrees_to_the_plan(
    doctor: Rrq, keys: Redis, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    break_some(keys)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    code, output, notes = doctor("--repair", *NO_TIME)

    assert code == 1
    plan = output.split("\n\n")[2].splitlines()
    assert plan[0] == "findings\tkind\twhat will be done"
    assert plan[1] == "2\tqueued-without-hash\ttake the id out of the queue"
    assert "Mend 2 findings? [y/N]" in notes
    assert "Nothing was done." in notes
    assert keys.zcard("rrq:queue:mail") == 2


def test_what_can_be_mended_is_and_what_is_left_fails_the_command(
    doctor: Rrq, keys: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_some(keys)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    code, output, notes = doctor("--repair", *NO_TIME)

    assert code == 1
    assert output.splitlines()[-1].strip() == "Mended 2 findings."
    assert "1 finding cannot be mended safely: 1 wrong-type." in notes
    assert not keys.exists("rrq:queue:mail")


def test_with_yes_nobody_is_asked_and_then_nothing_is_wrong(doctor: Rrq, keys: Redis) -> None:
    keys.zadd("rrq:queue:mail", {"nothing": 1})

    code, output, _ = doctor("--repair", "--yes", *NO_TIME)

    assert (code, output.splitlines()[-1]) == (0, "Mended 1 finding.")
    assert doctor()[0] == 0


def test_as_json_each_finding_says_what_became_of_it(doctor: Rrq, keys: Redis) -> None:
    break_some(keys)

    code, output, _ = doctor("--repair", "--yes", "--json", *NO_TIME)

    assert code == 1
    report = json.loads(output)
    assert [one["outcome"] for one in report["findings"]] == ["left", "mended", "mended"]


def test_on_a_terminal_it_shows_how_far_it_is_and_takes_the_answer_there(
    place: Place, redis_dsn: str, keys: Redis
) -> None:
    break_some(keys)
    environment = place.environment(RRQ_REDIS_DSN=redis_dsn)

    terminal = Terminal(
        ["rrq", "doctor", "--repair", "--patience", "1"], place.directory, environment
    )
    terminal.shows("Looking again at what seems wrong")
    terminal.shows(r"take the id out of the queue[\s\S]*Mend 2 findings\?")
    terminal.type(b"y\r")
    code = terminal.wait(20)

    assert code == 1
    assert "Mended 2 findings." in terminal.written
    assert "nothing will run." in " ".join(terminal.written.split())
    assert not keys.exists("rrq:queue:mail")
