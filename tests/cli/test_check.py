"""`rrq check` as people, deploy scripts and container probes use it.

How facts are judged is in `tests/health/`.
"""

from __future__ import annotations

import json
import threading
import time
from functools import partial
from typing import Any

import pytest
from redis import Redis

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.commands import Rrq, Said
from tests.support.configuration import write
from tests.support.distributions import Site
from tests.support.places import Place
from tests.support.ports import free_port
from tests.support.terminals import Terminal
from tests.support.waiting import eventually_blocking

NO_WORKER = "No worker is alive: start one with `rrq worker run`."


@pytest.fixture
def check(rrq: Rrq) -> Rrq:
    """`rrq check` in this process."""
    return partial(rrq, "check")


def alive(redis: Redis, worker_id: str = "rrq_worker_1", **health: Any) -> None:
    """A worker that has just shown itself."""
    health = {"status": "polling", "queues": ["default"], **health}
    redis.set(f"rrq:health:worker:{worker_id}", json.dumps(health), ex=60)
    redis.zadd("rrq:workers", {worker_id: (time.time() + 60) * 1000})


def states(output: str) -> dict[str, str]:
    """The state of each check in the last table of a pipe, or in JSON."""
    if output.startswith("{"):
        return {one["check"]: one["state"] for one in json.loads(output)["checks"]}
    lines = output.split("\n\n")[-1].splitlines()
    return {line.split("\t")[0]: line.split("\t")[1] for line in lines[1:]}


# -- what it shows ----------------------------------------------------------------------


def test_without_a_worker_it_fails_and_says_how_to_start_one(check: Rrq) -> None:
    code, output, notes = check()

    assert (code, notes) == (1, "")
    assert f"workers\tfailed\t{NO_WORKER}\n" in output


def test_a_real_worker_is_shown_with_its_executors_and_the_check_succeeds(
    check: Rrq, place: Place, redis_dsn: str
) -> None:
    place.write("rrq.toml", '[rrq.executors.python]\ncmd = ["cat"]\npool_size = 3\n')
    worker = place.start("rrq", "worker", "run", "--queue", "mail", RRQ_REDIS_DSN=redis_dsn)
    code, output, notes = check("--wait", "20")
    old_name = place.run("rrq", "health", "--json", RRQ_REDIS_DSN=redis_dsn)
    worker_id = worker.said(": queues mail; ").split("Worker ")[1].split(":")[0]
    worker.stop()

    assert (code, notes) == (0, "")
    workers, executors, _ = (part.splitlines() for part in output.split("\n\n"))
    shown_id, status, active, capacity, queues, _, ttl_seconds, paused = workers[1].split("\t")
    assert (shown_id, active, capacity, queues, paused) == (worker_id, "0", "3", "mail", "-")
    assert status in ("polling", "idle (no jobs)")
    assert 60 <= int(ttl_seconds) <= 70
    assert executors[1].split("\t") == [worker_id, "python", "3", "0", "3", "0", "-"]
    assert set(states(output).values()) == {"ok", "warning"}
    assert states(output)["worker clocks"] == "ok"
    report = json.loads(old_name.stdout)
    assert report["workers"][0]["worker"] == worker_id
    assert abs(report["workers"][0]["clock_skew_seconds"]) < 1
    assert check()[0] == 1


def test_as_json_it_has_the_same_shape_whatever_it_finds(check: Rrq, keys: Redis) -> None:
    nothing = json.loads(check("--json")[1])
    alive(keys, active_jobs=1, concurrency_limit=4, timestamp="2026-01-01T00:00:00Z")
    keys.sadd("rrq:paused", "default")

    code, output, notes = check("--json")

    assert (code, notes) == (0, "")
    report = json.loads(output)
    assert (nothing["ok"], nothing["state"], nothing["workers"]) == (False, "failed", [])
    assert (report["ok"], report["state"]) == (True, "warning")
    assert [one["check"] for one in report["checks"]] == [one["check"] for one in nothing["checks"]]
    assert report["queues"] == [
        {"queue": "default", "waiting": 0, "due": 0, "first_due": None, "paused": True}
    ]
    [worker] = report["workers"]
    assert 55 < worker.pop("ttl_seconds") <= 60
    assert worker == {
        "worker": "rrq_worker_1",
        "status": "polling",
        "active_jobs": 1,
        "capacity": 4,
        "queues": ["default"],
        "last_heartbeat": "2026-01-01T00:00:00+00:00",
        "paused": ["default"],
        "clock_skew_seconds": None,
        "executors": {},
    }


def test_a_queue_that_nobody_serves_fails_it_by_name(check: Rrq, keys: Redis) -> None:
    alive(keys)
    with SyncRRQClient(RRQSettings(redis_dsn=rrq_dsn(keys))) as client:
        client.enqueue("work", _queue_name="mail")

    code, output, _ = check()

    assert code == 1
    assert "queues\tfailed\tQueue mail has 1 job due since 0 s; no worker serves it." in output


def rrq_dsn(redis: Redis) -> str:
    """The address of the server that a client is connected to."""
    return f"unix://{redis.connection_pool.connection_kwargs['path']}"


def test_leases_of_dead_workers_that_nobody_takes_over_fail_it(check: Rrq, keys: Redis) -> None:
    alive(keys)
    keys.zadd("rrq:leases", {"young": (time.time() - 5) * 1000})
    assert check()[0] == 0

    keys.zadd("rrq:leases", {"old": (time.time() - 60) * 1000})
    code, output, _ = check()

    assert code == 1
    assert "leases\tfailed\t1 job of dead workers waits" in output


def test_warnings_fail_it_only_if_it_is_strict(check: Rrq, keys: Redis) -> None:
    alive(keys)
    code, output, _ = check()
    assert (code, states(output)["persistence"]) == (0, "warning")

    assert check("--strict")[0] == 1
    assert json.loads(check("--strict", "--json")[1])["ok"] is False

    keys.config_set("appendonly", "yes")
    try:
        assert check("--strict")[0] == 0
    finally:
        keys.config_set("appendonly", "no")


def test_keys_of_the_wrong_type_are_no_reason_to_give_up(check: Rrq, keys: Redis) -> None:
    alive(keys)
    keys.set("rrq:leases", "x")
    keys.set("rrq:queue:default", "x")

    code, output, _ = check()

    assert code == 0
    assert "queues\twarning\tQueue default is no sorted set: see `rrq doctor`." in output


def test_a_server_that_evicts_jobs_or_is_full_is_told(check: Rrq, keys: Redis) -> None:
    alive(keys)
    keys.config_set("maxmemory-policy", "allkeys-lru")
    keys.config_set("maxmemory", str(keys.info()["used_memory"] + 100_000))
    try:
        found = states(check()[1])
    finally:
        keys.config_set("maxmemory", "0")
        keys.config_set("maxmemory-policy", "noeviction")

    assert (found["eviction"], found["memory"]) == ("warning", "warning")


def test_a_managed_server_that_forbids_to_ask_is_unknown_and_no_failure(
    check: Rrq, keys: Redis, redis_dsn: str
) -> None:
    alive(keys)
    keys.execute_command("ACL", "SETUSER", "guest", "on", ">pw", "~*", "+@all", "-info", "-config")
    guest = redis_dsn.replace("unix://", "unix://guest:pw@")
    try:
        code, output, notes = check("--redis-dsn", guest)
        keys.execute_command("ACL", "SETUSER", "guest", "+info")
        more = states(check("--redis-dsn", guest)[1])
    finally:
        keys.execute_command("ACL", "DELUSER", "guest")

    assert (code, notes) == (0, "")
    found = states(output)
    unknown = {check for check, state in found.items() if state == "unknown"}
    assert {"persistence", "eviction", "memory"} < unknown
    # HELLO tells the version to everybody.
    assert found["version"] == "ok"
    assert (more["memory"], more["persistence"]) == ("ok", "unknown")


def test_on_a_terminal_no_finding_loses_its_end(place: Place, redis_dsn: str, keys: Redis) -> None:
    environment = place.environment(RRQ_REDIS_DSN=redis_dsn, NO_COLOR="1")

    terminal = Terminal(["rrq", "check"], place.directory, environment)
    code = terminal.wait(20)

    assert code == 1
    told = " ".join(terminal.written.split())
    assert f"workers failed: {NO_WORKER}" in told
    assert "persistence warning: All jobs are lost with the server. Set `appendonly yes`." in told


# -- Redis is away ----------------------------------------------------------------------


def test_a_redis_that_is_away_is_one_line_and_a_report_in_json(check: Rrq) -> None:
    dsn = f"redis://:geheim@localhost:{free_port()}/0"

    code, output, notes = check("--redis-dsn", dsn)
    assert (code, output) == (1, "")
    assert notes.startswith("error: Redis cannot be reached at localhost:")
    assert notes.count("\n") == 1

    code, output, notes = check("--redis-dsn", dsn, "--json")
    report = json.loads(output)
    assert (code, notes.count("\n"), report["ok"]) == (1, 1, False)
    assert states(output)["redis"] == "failed"
    assert (report["workers"], report["queues"]) == ([], [])
    assert "geheim" not in output + notes


def test_a_redis_that_is_frozen_is_given_up_when_the_time_to_wait_is_over(
    check: Rrq, server: EmbeddedRedis
) -> None:
    import os
    import signal

    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        code, output, notes = check("--redis-dsn", server.dsn, "--wait", "0.5")
    finally:
        os.kill(server.pid, signal.SIGCONT)

    assert (code, output) == (1, "")
    assert "no answer within 0.5 s" in notes
    assert time.monotonic() - began < 4


# -- waiting ----------------------------------------------------------------------------


def test_it_waits_until_all_is_well(check: Rrq, keys: Redis) -> None:
    answers: list[Said] = []
    waiting = threading.Thread(target=lambda: answers.append(check("--wait", "30")))
    waiting.start()
    keys.ping()
    asked = _times_asked(keys)
    eventually_blocking(lambda: _times_asked(keys) > asked + 6, 20, "two looks")
    assert not answers

    alive(keys)
    waiting.join(10)

    assert answers[0][0] == 0


def _times_asked(redis: Redis) -> int:
    """How often somebody asked for the time, as each look does three times."""
    return int(redis.info("commandstats").get("cmdstat_time", {}).get("calls", 0))


def test_when_the_time_is_over_it_says_what_is_still_wrong(check: Rrq) -> None:
    began = time.monotonic()

    code, output, _ = check("--wait", "0.7")

    assert 0.7 <= time.monotonic() - began < 5
    assert (code, NO_WORKER in output) == (1, True)


def test_what_cannot_get_better_by_waiting_ends_it_at_once(check: Rrq) -> None:
    write("[rrq]\nlease_secs = 3\n")

    code, _, notes = check("--wait", "60")

    assert (code, notes.count("\n")) == (2, 1)


# -- configuration and plugins ----------------------------------------------------------


def test_the_configuration_alone_is_checked_without_redis(check: Rrq) -> None:
    dsn = f"redis://user:geheim@localhost:{free_port()}/0"
    write('[rrq]\nmax_lost = 3\n[rrq.executors.python]\ncmd = ["cat"]\n')

    code, table, notes = check("--config-only", "--redis-dsn", dsn)

    assert (code, notes) == (0, "")
    rows = [line.split("\t") for line in table.splitlines()]
    assert ["max_lost", "3", "rrq.toml:2"] in rows
    assert ["redis_dsn", dsn.replace("geheim", "***"), "--redis-dsn"] in rows


def test_a_wrong_executor_table_fails_the_check_of_the_configuration(
    check: Rrq, keys: Redis
) -> None:
    alive(keys)
    write('[rrq.executors.python]\ncmdd = ["cat"]\n')

    code, _, notes = check("--config-only")
    assert code == 2
    assert notes == (
        'error: rrq.toml:2: [rrq.executors.python] has an unknown key "cmdd". Did you mean "cmd"?\n'
    )

    code, output, _ = check()
    assert (code, states(output)["configuration"]) == (1, "failed")


PLUGIN = """
    import time, rrq
    from rrq.hookspecs import Check

    async def shop():
        return "warning", "The shop is closed."

    async def bank():
        raise ConnectionError("the bank is away")

    @rrq.hookimpl
    def rrq_checks(settings):
        return [Check(name="shop", probe=shop), Check(name="bank", probe=bank)]
"""


def test_checks_of_plugins_stand_beside_ours_and_a_broken_plugin_is_named(
    site: Site, redis_dsn: str, keys: Redis
) -> None:
    alive(keys)
    site.install("rrq-trade", PLUGIN)
    site.install("rrq-broken", "raise ImportError('no such module')")
    (site.work / "rrq.toml").write_text('[rrq.executors.python]\ntype = "carrier-pigeon"\n')

    ran = site.rrq("check", "--json", RRQ_REDIS_DSN=redis_dsn)
    alone = site.rrq("--no-plugins", "check", "--json", RRQ_REDIS_DSN=redis_dsn)

    assert (ran.returncode, alone.returncode) == (1, 0), ran.stderr + alone.stderr
    found = {one["check"]: one for one in json.loads(ran.stdout)["checks"]}
    assert found["shop"] == {
        "check": "shop",
        "state": "warning",
        "message": "The shop is closed.",
    }
    assert found["bank"]["state"] == "failed"
    assert "ConnectionError: the bank is away" in found["bank"]["message"]
    assert found["plugins"]["state"] == "warning"
    assert "broken (rrq-broken 1.0) failed" in found["plugins"]["message"]
    assert found["configuration"]["state"] == "warning"
    assert "carrier-pigeon" in found["configuration"]["message"]
    assert "shop" not in states(alone.stdout)


def test_a_plugin_whose_import_never_ends_fails_alone(
    check: Rrq, keys: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive(keys)
    ended = threading.Event()
    monkeypatch.setattr("rrq.cli.check.LOADING_LIMIT_SECONDS", 0.2)
    monkeypatch.setattr("rrq.cli.options.plugins", lambda config: ended.wait())

    code, output, _ = check()
    ended.set()

    assert (code, states(output)["plugins"], states(output)["workers"]) == (1, "failed", "ok")
    assert "`rrq --no-plugins check` does without." in output
