"""From facts to findings: what is well, what deserves a warning, and what has failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rrq.health.asking import server_facts, worker_skew_seconds
from rrq.health.facts import ClockFacts, Facts, QueueFacts, ServerFacts, WorkerFacts
from rrq.health.finding import Finding, named, worst
from rrq.health.server import judge_server
from rrq.health.work import judge_work

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

GOOD = ServerFacts(
    address="localhost:6379",
    version="7.2.4",
    redis_version="7.2.4",
    role="master",
    is_read_only=False,
    append_only=True,
    append_only_ok=True,
    snapshot_rules="",
    snapshot_ok=True,
    used_bytes=10 * 2**20,
    max_bytes=2**30,
    system_bytes=2**34,
    eviction_policy="noeviction",
    evicted_keys=0,
)

SAME_CLOCK = ClockFacts(skew_seconds=0.001, uncertainty_seconds=0.001)


def server_says(check: str, clock: ClockFacts = SAME_CLOCK, **facts: Any) -> Finding:
    findings = judge_server(replace(GOOD, **facts), clock)
    [finding] = [one for one in findings if one.check == check]
    return finding


# -- the server -------------------------------------------------------------------------


def test_of_a_good_server_all_is_well() -> None:
    assert worst(one.state for one in judge_server(GOOD, SAME_CLOCK)) == "ok"


def test_a_server_that_tells_nothing_is_unknown_and_no_failure() -> None:
    silent = server_facts("localhost:6379", {}, {}, 0.001)

    states = {one.check: one.state for one in judge_server(silent, SAME_CLOCK)}

    assert states == {
        "redis": "ok",
        "version": "unknown",
        "persistence": "unknown",
        "eviction": "unknown",
        "memory": "unknown",
        "clock": "ok",
    }


@pytest.mark.parametrize(
    ("check", "facts", "state", "words"),
    [
        ("redis", {"is_read_only": True}, "failed", "replica"),
        ("version", {"version": "6.0.20", "redis_version": "6.0.20"}, "failed", "too old"),
        ("version", {"version": "5.0.14", "redis_version": "5.0.14"}, "failed", "6.2"),
        ("version", {"version": "6.2.0", "redis_version": "6.2.0"}, "ok", "Redis 6.2.0"),
        ("version", {"version": "10.0", "redis_version": "10.0"}, "ok", "Redis 10.0"),
        ("version", {"product": "Valkey", "version": "8.1"}, "ok", "Valkey 8.1"),
        ("version", {"version": "odd", "redis_version": "odd"}, "ok", "odd"),
        ("persistence", {"append_only": False}, "warning", "All jobs are lost"),
        (
            "persistence",
            {"append_only": False, "snapshot_rules": "3600 1"},
            "warning",
            "since the last one",
        ),
        ("persistence", {"append_only": False, "snapshot_rules": None}, "unknown", "not tell"),
        ("persistence", {"append_only_ok": False}, "failed", "disk full"),
        ("persistence", {"snapshot_ok": False, "snapshot_rules": "60 1"}, "failed", "snapshot"),
        ("persistence", {"snapshot_ok": False}, "ok", "append-only"),
        ("eviction", {"eviction_policy": "allkeys-lru"}, "warning", "deletes jobs"),
        ("eviction", {"eviction_policy": "volatile-ttl"}, "warning", "unique keys"),
        (
            "eviction",
            {"eviction_policy": "allkeys-lfu", "evicted_keys": 7},
            "warning",
            "7 keys were evicted",
        ),
        ("memory", {"used_bytes": 2**30}, "failed", "refuses writes"),
        ("memory", {"used_bytes": int(0.95 * 2**30)}, "warning", "972.8 MiB of 1.0 GiB"),
        (
            "memory",
            {"used_bytes": 2**30, "eviction_policy": "allkeys-lru"},
            "warning",
            "1.0 GiB of 1.0 GiB",
        ),
        ("memory", {"max_bytes": 0}, "ok", "no `maxmemory`"),
        ("memory", {"max_bytes": 0, "used_bytes": 2**34}, "warning", "The machine has 16.0 GiB"),
    ],
)
def test_a_server_is_judged_by_what_it_tells(
    check: str, facts: dict[str, Any], state: str, words: str
) -> None:
    finding = server_says(check, **facts)

    assert finding.state == state, finding
    assert words in finding.message


@pytest.mark.parametrize(
    ("skew_seconds", "uncertainty_seconds", "state", "words"),
    [
        (5.0, 0.01, "warning", "5.0 s ahead of"),
        (-5.0, 0.01, "warning", "5.0 s behind"),
        (1.5, 0.01, "ok", ""),
        (5.0, 4.0, "unknown", "too slowly"),
    ],
)
def test_a_clock_that_differs_by_more_than_the_answer_took_deserves_a_warning(
    skew_seconds: float, uncertainty_seconds: float, state: str, words: str
) -> None:
    clock = ClockFacts(skew_seconds=skew_seconds, uncertainty_seconds=uncertainty_seconds)
    finding = server_says("clock", clock)

    assert finding.state == state
    assert words in finding.message


# -- workers and queues -----------------------------------------------------------------


def worker(status: str = "polling", *queues: str, **health: Any) -> WorkerFacts:
    written = {"status": status, "queues": list(queues or ("mail",)), **health}
    return WorkerFacts(worker_id="rrq_worker_1", health=written)


def queue(**facts: Any) -> QueueFacts:
    since = NOW - timedelta(minutes=5)
    return QueueFacts(**{"name": "mail", "waiting": 3, "due": 2, "first_due_at": since, **facts})


def work_says(check: str, *things: WorkerFacts | QueueFacts, abandoned: int = 0) -> Finding:
    facts = Facts(
        now=NOW,
        server=GOOD,
        clock=SAME_CLOCK,
        workers=tuple(one for one in things if isinstance(one, WorkerFacts)),
        queues=tuple(one for one in things if isinstance(one, QueueFacts)),
        abandoned=abandoned,
    )
    findings = judge_work(facts, lambda name: name.removeprefix("rrq:queue:"))
    [finding] = [one for one in findings if one.check == check]
    return finding


@pytest.mark.parametrize(
    ("workers", "state", "words"),
    [
        ([], "failed", "start one with `rrq worker run`"),
        ([worker()], "ok", "1 worker takes jobs"),
        ([worker("running"), worker("idle (concurrency limit)")], "ok", "2 workers take jobs"),
        ([worker(), worker("stuck (Redis is away)")], "failed", "is stuck (Redis is away)"),
        ([worker("stopping")], "failed", "No worker takes jobs: 1 is stopping"),
        ([worker("stopping"), worker()], "ok", "1 worker takes jobs"),
        ([worker("initializing")], "failed", "initializing"),
        ([WorkerFacts(worker_id="odd")], "failed", "No worker is alive"),
        ([WorkerFacts(worker_id="odd"), worker()], "warning", "odd cannot be read"),
        ([WorkerFacts(worker_id="w", health={"queues": []})], "ok", "takes jobs"),
    ],
)
def test_workers_are_judged_by_whether_they_take_jobs(
    workers: list[WorkerFacts], state: str, words: str
) -> None:
    finding = work_says("workers", *workers)

    assert finding.state == state
    assert words in finding.message


@pytest.mark.parametrize(
    ("executors", "state", "words"),
    [
        ({"python": {"processes": 2, "capacity": 8}}, "ok", "1 is up"),
        ({"python": {"processes": 0, "capacity": 8}}, "ok", "1 is up"),
        (
            {"python": {"processes": 0, "capacity": 0, "last_error": "exited with 1\nmore"}},
            "warning",
            "python of rrq_worker_1 is down: exited with 1.",
        ),
        ({"python": {"processes": 0, "capacity": 0}}, "warning", "no process of it runs"),
        (None, "unknown", "No worker tells"),
        ("odd", "unknown", "No worker tells"),
    ],
)
def test_executors_are_judged_by_whether_anything_of_them_runs(
    executors: Any, state: str, words: str
) -> None:
    finding = work_says("executors", worker(executors=executors))

    assert finding.state == state
    assert words in finding.message


@pytest.mark.parametrize(
    ("things", "state", "words"),
    [
        ([queue()], "failed", "mail has 2 jobs due since 5 m; no worker serves it"),
        ([queue(), worker("polling", "other")], "failed", "no worker serves it"),
        ([queue(), worker("polling", "rrq:queue:mail")], "ok", ""),
        ([queue(), worker("stuck (x)"), worker("stuck (x)")], "failed", "workers are stuck"),
        ([queue(), worker("stopping")], "failed", "none of its workers takes jobs"),
        ([queue(), worker("stuck (x)"), worker()], "ok", ""),
        ([queue(due=0)], "warning", "mail has 3 jobs; no worker serves it"),
        ([queue(due=0, waiting=0)], "ok", ""),
        ([queue(is_paused=True)], "ok", ""),
        ([queue(is_queue=False)], "warning", "no sorted set"),
        ([queue(name=f"q{n}") for n in range(9)], "failed", "And 4 more of the kind."),
    ],
)
def test_a_queue_with_jobs_that_nobody_takes_is_told(
    things: list[Any], state: str, words: str
) -> None:
    finding = work_says("queues", *things)

    assert finding.state == state, finding
    assert words in finding.message


def test_what_has_failed_stands_before_what_deserves_a_warning() -> None:
    finding = work_says("queues", queue(name="later", due=0), queue(name="late"))

    assert finding.state == "failed"
    assert finding.message.index("late has 2 jobs due") < finding.message.index("later")


def test_paused_queues_deserve_a_warning_that_says_what_waits_there() -> None:
    finding = work_says("paused queues", queue(is_paused=True), queue(name="b", is_paused=True))

    assert finding.state == "warning"
    assert finding.message.startswith("mail (2 jobs due since 5 m), b (2 jobs")
    assert work_says("paused queues", queue()).state == "ok"


def test_leases_that_nobody_takes_over_are_a_failure() -> None:
    assert work_says("leases", abandoned=2).state == "failed"
    assert work_says("leases").state == "ok"


def test_a_long_list_of_names_is_cut_and_counted() -> None:
    assert named(["a", "b", "c"]) == "a, b, c"
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


# -- workers' clocks --------------------------------------------------------------------


def skew(written: timedelta, ttl_left: float | None, **health: Any) -> float | None:
    return worker_skew_seconds({"timestamp": (NOW + written).isoformat(), **health}, ttl_left, NOW)


def test_a_heartbeat_tells_its_workers_clock_by_what_is_left_of_its_ttl() -> None:
    """Written 20 s ago, when the worker's clock said what it says in the timestamp."""
    assert skew(timedelta(seconds=-20), 50.0, ttl_seconds=70) == pytest.approx(0)
    assert skew(timedelta(seconds=-25), 50.0, ttl_seconds=70) == pytest.approx(-5)
    assert skew(timedelta(seconds=-10), 50.0, ttl_seconds=70) == pytest.approx(10)


def test_without_the_whole_ttl_only_a_time_to_come_tells_anything() -> None:
    assert skew(timedelta(seconds=-20), 50.0) is None
    assert skew(timedelta(seconds=20), 50.0) == pytest.approx(20)


@pytest.mark.parametrize("timestamp", [None, "yesterday", 5, "0001-01-01T00:00:00+14:00"])
def test_a_timestamp_that_cannot_be_read_tells_nothing(timestamp: object) -> None:
    assert worker_skew_seconds({"timestamp": timestamp}, 5.0, NOW) is None


def test_a_worker_whose_clock_is_wrong_is_named() -> None:
    wrong = replace(worker(), skew_seconds=-7.0)

    assert work_says("worker clocks", worker()).state == "unknown"
    assert work_says("worker clocks", replace(worker(), skew_seconds=0.5)).state == "ok"
    assert "rrq_worker_1 is 7.0 s behind" in work_says("worker clocks", wrong).message
