"""`rrq debug`: what it enqueues and makes up, and that it takes away that and nothing else."""

from __future__ import annotations

import json
import signal

import pytest
from redis import Redis

from rrq.job import JobStatus
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.commands import Rrq
from tests.support.places import Place
from tests.support.waiting import eventually_blocking

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    async def wait(ctx):
        Path("inside").touch()
        try:
            await asyncio.sleep(60)
        finally:
            Path("cancelled").touch()

    registry = JobRegistry()
    registry.register("wait", wait)
    settings = PythonExecutorSettings(job_registry=registry)
"""


def job_ids(keys: Redis) -> list[str]:
    """The ids of all jobs that have a hash."""
    return sorted(key.removeprefix("rrq:job:") for key in keys.scan_iter("rrq:job:*"))


# -- rrq debug submit -------------------------------------------------------------------


def test_a_submitted_job_has_its_arguments_and_its_id_is_printed(
    rrq: Rrq, producer: SyncRRQClient, keys: Redis
) -> None:
    code, job_id, notes = rrq(
        *("debug", "submit", "greet", "--args", '["world", [1]]'),
        *("--kwargs", '{"_queue_name": "a word", "loud": true}', "--queue", "rrq:queue:mail"),
    )

    assert (code, notes) == (0, "")
    job = producer.get_job(job_id.strip())
    assert job is not None
    assert (job.function_name, job.job_args) == ("greet", ["world", [1]])
    assert job.job_kwargs == {"_queue_name": "a word", "loud": True}
    assert keys.zrange("rrq:queue:mail", 0, -1) == [job.id]


def test_a_delay_is_counted_from_now(rrq: Rrq, producer: SyncRRQClient) -> None:
    _, job_id, _ = rrq("debug", "submit", "greet", "--delay", "90")

    job = producer.get_job(job_id.strip())
    assert job is not None
    assert job.next_scheduled_run_time is not None
    assert (job.next_scheduled_run_time - job.enqueue_time).total_seconds() == 90


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("greet", "--args", "[1"), "error: Invalid value for --args: not valid JSON: "),
        (("greet", "--args", "{}"), "error: Invalid value for --args: it must be a JSON array."),
        (("greet", "--kwargs", "1"), "error: Invalid value for --kwargs: it must be a JSON object"),
        (("greet", "--queue", ""), "error: Invalid value for --queue: a queue needs a name."),
        (("",), "error: Invalid value for FUNCTION: a job needs a function's name."),
        (("greet", "--delay", "9e9"), "error: Invalid value for --delay: expected a number from"),
        (("greet", "--delay", "-1"), "error: Invalid value for --delay: expected a number from"),
    ],
)
def test_what_is_no_job_is_wrong_usage_told_in_two_lines(
    rrq: Rrq, keys: Redis, arguments: tuple[str, ...], said: str
) -> None:
    code, output, notes = rrq("debug", "submit", *arguments)

    assert (code, output) == (2, "")
    assert notes.startswith(said)
    assert len(notes.splitlines()) <= 2
    assert job_ids(keys) == []


# -- rrq debug generate-jobs ------------------------------------------------------------


def test_generated_jobs_stand_where_their_state_says(
    rrq: Rrq, producer: SyncRRQClient, keys: Redis
) -> None:
    code, _, notes = rrq("debug", "generate-jobs", "--count", "24", "--queue", "a", "--queue", "b")

    assert code == 0
    assert notes.startswith("Wrote 24 jobs (4 PENDING, 4 ACTIVE, 4 RETRYING, 4 COMPLETED, ")
    by_status: dict[JobStatus, set[str]] = {status: set() for status in JobStatus}
    for job_id in job_ids(keys):
        job = producer.get_job(job_id)
        assert job is not None
        assert job_id.startswith("test_")
        assert job.function_name.startswith("test_")
        by_status[job.status].add(job_id)
        expires = keys.ttl(f"rrq:job:{job_id}") > 0
        has_ended = job.status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
        assert expires == has_ended == (job.completion_time is not None)
    assert {len(ids) for ids in by_status.values()} == {4}
    waiting = by_status[JobStatus.PENDING] | by_status[JobStatus.RETRYING]
    queued = [set(keys.zrange(f"rrq:queue:{name}", 0, -1)) for name in "ab"]
    assert queued[0] | queued[1] == waiting
    assert all(queued)
    assert not queued[0] & queued[1]
    assert set(keys.zrange("rrq:leases", 0, -1)) == by_status[JobStatus.ACTIVE]
    dead = keys.lrange("rrq:dlq:default", 0, -1)
    assert set(dead) == by_status[JobStatus.FAILED]
    ends = [keys.hget(f"rrq:job:{job_id}", "completion_time") for job_id in dead]
    assert ends == sorted(ends, reverse=True)


def test_only_the_named_states_are_generated(rrq: Rrq, keys: Redis) -> None:
    code, _, _ = rrq("debug", "generate-jobs", "--count", "3", "--status", "failed")

    assert code == 0
    assert len(job_ids(keys)) == 3
    assert keys.llen("rrq:dlq:default") == 3
    assert not keys.exists("rrq:queue:default", "rrq:leases")


def test_an_unknown_state_is_answered_with_the_known_ones(rrq: Rrq) -> None:
    code, _, notes = rrq("debug", "generate-jobs", "--status", "done")

    assert code == 2
    assert notes.splitlines()[0] == (
        "error: Invalid value for --status: 'done' is none of "
        "pending, active, retrying, completed, failed, cancelled."
    )


# -- rrq debug generate-workers ---------------------------------------------------------


def test_generated_workers_are_seen_while_they_last_and_leave_nothing(
    place: Place, rrq: Rrq, redis_dsn: str, keys: Redis
) -> None:
    fakes = place.start(
        *("rrq", "debug", "generate-workers", "--count", "2", "--redis-dsn", redis_dsn)
    )

    eventually_blocking(lambda: keys.zcard("rrq:workers") == 2, 10, "two workers")
    code, table, _ = rrq("check", "--json")
    fakes.tell(signal.SIGINT)
    ended = fakes.wait()

    assert code == 0
    assert table.count('"rrq_worker_test_') == 2
    assert ended.code == 0
    assert keys.keys("*") == []


def test_generated_workers_go_by_themselves_when_their_time_is_over(rrq: Rrq, keys: Redis) -> None:
    code, _, notes = rrq("debug", "generate-workers", "--count", "1", "--duration", "0.2")

    assert (code, notes.splitlines()[-1]) == (0, "They are gone.")
    assert keys.keys("*") == []


# -- rrq debug clear --------------------------------------------------------------------


def test_clear_takes_all_test_data_and_nothing_else(
    rrq: Rrq, producer: SyncRRQClient, keys: Redis
) -> None:
    ours = producer.enqueue("test_mail", _queue_name="default")
    assert ours is not None
    keys.lpush("rrq:dlq:default", "real")
    keys.set("rrq:health:worker:rrq_worker_real", "{}", ex=60)
    keys.hset("rrq:job:attest_1", "status", "FAILED")
    before = set(keys.scan_iter("*"))
    rrq("debug", "generate-jobs", "--count", "30", "--queue", "default", "--queue", "test_q")
    keys.zadd("rrq:queue:default", {"test_without_hash": 1})
    keys.set("rrq:health:worker:rrq_worker_test_1", "{}", ex=60)
    keys.zadd("rrq:workers", {"rrq_worker_test_1": 1})

    code, _, notes = rrq("debug", "clear", "--confirm")

    assert code == 0
    # 5 of each state: 10 in queues and one without a hash, 5 leased, 5 dead; the queue's name.
    assert notes == ("Deleted 31 keys, and 22 ids from queues, leases and dead letter queues.\n")
    # The counter of lease tokens only ever grows.
    assert set(keys.scan_iter("*")) - {"rrq:lease:token"} == before
    assert keys.zrange("rrq:queue:default", 0, -1) == [ours.id]
    assert keys.lrange("rrq:dlq:default", 0, -1) == ["real"]
    assert keys.smembers("rrq:queues") == {"default"}


def test_clear_gives_the_unique_key_of_a_test_job_to_the_next(
    rrq: Rrq, producer: SyncRRQClient, keys: Redis
) -> None:
    producer.enqueue("mail", _job_id="test_1", _unique_key="once")
    waiting = producer.enqueue("mail", _unique_key="once", _on_conflict="defer")
    assert waiting is not None

    assert rrq("debug", "clear", "--yes")[0] == 0

    assert job_ids(keys) == [waiting.id]
    assert keys.get("rrq:lock:unique:once") == waiting.id
    assert keys.zscore("rrq:queue:default", waiting.id) is not None


def test_what_a_worker_runs_is_stopped_and_leaves_no_trace(
    place: Place, rrq: Rrq, producer: SyncRRQClient, settings: RRQSettings, keys: Redis
) -> None:
    place.write("handlers.py", HANDLERS)
    place.write(
        "rrq.toml",
        f"""
        [rrq]
        redis_dsn = "{settings.redis_dsn}"

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        """,
    )
    worker = place.start("rrq", "worker", "run")
    producer.enqueue("wait", _job_id="test_long", _unique_key="once")
    eventually_blocking((place.directory / "inside").exists, 20, "a running job")
    rrq("debug", "generate-jobs", "--count", "6")
    # Of the fakes, the one that is due is the worker's as well: it knows no such handler.
    worker.said("failed for good")

    assert rrq("debug", "clear", "--confirm")[0] == 0
    eventually_blocking((place.directory / "cancelled").exists, 10, "the end of its handler")
    assert worker.stop().code == 0

    assert job_ids(keys) == []
    # What the steps counted expires by itself.
    left = {key for key in keys.scan_iter("*") if keys.ttl(key) == -1}
    assert left <= {"rrq:lease:token", "rrq:queues"}


def test_a_pattern_narrows_what_is_cleared(rrq: Rrq, keys: Redis) -> None:
    for job_id in ("test_a1", "test_b1", "test_[x]"):
        keys.hset(f"rrq:job:{job_id}", "status", "PENDING")
        keys.zadd("rrq:queue:default", {job_id: 1})

    rrq("debug", "clear", "--confirm", "--pattern", "test_[ab]?")

    assert job_ids(keys) == ["test_[x]"]
    assert keys.zrange("rrq:queue:default", 0, -1) == ["test_[x]"]


def test_clear_asks_first_and_no_answer_deletes_nothing(
    place: Place, redis_dsn: str, rrq: Rrq, keys: Redis
) -> None:
    rrq("debug", "generate-jobs", "--count", "1", "--status", "pending")

    ended = place.run("rrq", "debug", "clear", "--redis-dsn", redis_dsn, code=1)

    assert "Delete 1 job and 0 workers that match test_* at " in ended.stderr
    assert ended.stderr.endswith("Nothing was done.\n")
    assert len(job_ids(keys)) == 1


def test_clear_says_when_nothing_matches(rrq: Rrq) -> None:
    code, _, notes = rrq("debug", "clear")

    assert code == 0
    assert notes.startswith("Nothing at ")


def test_clear_does_not_touch_a_server_elsewhere_unless_told_so_twice(rrq: Rrq) -> None:
    # The address is one that no network routes: an attempt to reach it would fail otherwise.
    code, _, notes = rrq("debug", "clear", "--yes", "--redis-dsn", "redis://:pw@192.0.2.1:6379/0")

    assert code == 2
    assert notes.splitlines()[0] == (
        "error: Invalid value: Redis at 192.0.2.1:6379 is not on this machine: "
        "nothing was deleted. If you mean it, add --yes-really."
    )


# -- rrq debug stress-test --------------------------------------------------------------


def test_the_stress_test_holds_its_rate_and_stops_by_itself(rrq: Rrq, keys: Redis) -> None:
    code, told, _ = rrq(
        *("debug", "stress-test", "--jobs-per-second", "100", "--duration", "1", "--json"),
        *("--queues", "a", "--queues", "b"),
    )

    assert code == 0
    report = json.loads(told)
    assert report["jobs"] == 100
    assert 80 <= report["jobs_per_second"] <= 100
    assert 0 < report["enqueue_p50_ms"] <= report["enqueue_p99_ms"] <= report["enqueue_max_ms"]
    ids = job_ids(keys)
    assert len(ids) == 100
    assert all(one.startswith("test_") for one in ids)
    assert (keys.zcard("rrq:queue:a"), keys.zcard("rrq:queue:b")) == (50, 50)


def test_jobs_of_a_stress_test_are_spread_evenly_over_its_time(rrq: Rrq, keys: Redis) -> None:
    rrq("debug", "stress-test", "--jobs-per-second", "10", "--duration", "1")

    scores = [score for _, score in keys.zrange("rrq:queue:default", 0, -1, withscores=True)]
    assert len(scores) == 10
    assert 700 <= scores[-1] - scores[0] <= 1000


def test_a_stress_test_that_is_interrupted_shows_what_it_did(
    place: Place, redis_dsn: str, keys: Redis
) -> None:
    running = place.start("rrq", "debug", "stress-test", "--json", "--redis-dsn", redis_dsn)
    eventually_blocking(lambda: keys.zcard("rrq:queue:default"), 10, "a first job")
    running.tell(signal.SIGINT)

    ended = running.wait(5)

    assert ended.code == 0
    assert 1 <= json.loads(ended.stdout)["jobs"] < 600
