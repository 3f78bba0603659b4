"""What somebody else wrote wrongly into Redis is shown as such, and nothing else suffers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from rrq.cli.main import run
from tests.security.workplace import rrq
from tests.support.configuration import leave_all_configuration
from tests.support.places import Place

GOOD = {
    "id": "good",
    "function_name": "echo",
    "job_args": "[]",
    "job_kwargs": "{}",
    "enqueue_time": "2026-01-01T00:00:00Z",
    "status": "FAILED",
    "queue_name": "default",
    "last_error": "no luck",
}

HEALTHS = [
    b"",
    b"\xff\xfe",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b"[" * 5000,
    b'{"status": null, "queues": 3, "active_jobs": [], "timestamp": {}}',
    b'{"status": "running", "queues": [null, {"a": 1}]}',
    b'{"status": ' + b"9" * 5000 + b"}",
]

FIELDS: list[dict[str | bytes, str | bytes]] = [
    {"function_name": b"\xff"},
    {"job_args": "{"},
    {"job_args": "{}"},
    {"job_kwargs": "[]"},
    {"job_args": "[" * 5000},
    {"job_args": "[" * 900 + "]" * 900},
    {"job_args": "[" + "9" * 5000 + "]"},
    {"job_args": "[1e999]"},
    {"result": "NaN"},
    {"result": b"\xff"},
    {"result": '"\\ud800"'},
    {"status": "SLEEPING"},
    {"current_retries": "many"},
    {"current_retries": "inf"},
    {"max_retries": "1e300"},
    {"max_retries": "9" * 5000},
    {"enqueue_time": "yesterday"},
    {"completion_time": "0001-01-01T00:00:00+23:59", "start_time": "9999-12-31T23:59:59-23:59"},
    {"trace_context": '{"a": 1}'},
    {"last_error": b"\xff\x00"},
    {b"\xff": b"\xff"},
    {"queue_name": b"\xff"},
]


async def said(place: Place, dsn: str, *words: str, code: int | None = 0) -> str:
    ended = await asyncio.to_thread(rrq, place, dsn, *words, code=code)
    assert "Traceback" not in ended.stderr
    return ended.stdout


async def test_a_health_that_cannot_be_read_hides_no_other_worker(
    place: Place, redis_dsn: str, redis: Redis
) -> None:
    seconds, _ = await redis.time()
    alive = (seconds + 60) * 1000
    for number, health in enumerate(HEALTHS):
        await redis.set(f"rrq:health:worker:rrq_worker_{number}", health)
        await redis.zadd("rrq:workers", {f"rrq_worker_{number}": alive})
    await redis.hset("rrq:health:worker:rrq_worker_hash", "a", "b")
    await redis.set("rrq:health:worker:rrq_worker_good", '{"status": "polling"}', ex=60)
    for worker_id in (b"rrq_worker_hash", b"rrq_worker_good", b"rrq_worker_gone", b"\xff"):
        await redis.zadd("rrq:workers", {worker_id: alive})

    text = await said(place, redis_dsn, "check")
    workers = json.loads(await said(place, redis_dsn, "check", "--json"))["workers"]

    assert "rrq_worker_good\tpolling" in text
    assert text.count("(its health cannot be read)") >= 8
    assert len(workers) == len(HEALTHS) + 2


async def test_a_health_that_cannot_be_read_is_no_sign_of_life(
    place: Place, redis_dsn: str, redis: Redis
) -> None:
    seconds, _ = await redis.time()
    await redis.set("rrq:health:worker:rrq_worker_1", "{")
    await redis.zadd("rrq:workers", {"rrq_worker_1": (seconds + 60) * 1000})

    assert "cannot be read" in await said(place, redis_dsn, "check", code=1)


async def test_a_dead_letter_that_cannot_be_read_hides_no_other(
    place: Place, redis_dsn: str, redis: Redis
) -> None:
    for number, fields in enumerate(FIELDS):
        await redis.hset(f"rrq:job:{number}", mapping={**GOOD, **fields})  # type: ignore[arg-type]
        await redis.rpush("rrq:dlq:default", str(number))
    await redis.set("rrq:job:text", "no hash")
    await redis.hset("rrq:job:good", mapping=GOOD)
    await redis.rpush("rrq:dlq:default", "text", b"\xff", "", "good", "good")

    text = await said(place, redis_dsn, "dlq", "list", "--limit", "100")
    rows = json.loads(await said(place, redis_dsn, "dlq", "list", "--limit", "100", "--json"))

    assert text.count("good\techo\tdefault\tno luck") == 2
    assert "the field `status` cannot be read" in text
    assert "its key holds no hash" in text
    assert len(rows) == len(FIELDS) + 5


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: str(next(iter(fields))))
async def test_a_job_that_cannot_be_read_is_shown_as_it_stands(
    redis_dsn: str,
    redis: Redis,
    fields: dict[str | bytes, str | bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave_all_configuration(tmp_path, monkeypatch)
    await redis.hset("rrq:job:good", mapping={**GOOD, **fields})  # type: ignore[arg-type]

    async def shown(*options: str) -> str:
        # In this process: there are too many cases for a process each.
        words = ["job", "show", "good", "--redis-dsn", redis_dsn, *options]
        assert await asyncio.to_thread(run, words) == 0
        return capsys.readouterr().out

    raw = json.loads(await shown("--raw"))
    as_json = json.loads(await shown("--json"))

    assert "good" in await shown()
    assert raw["enqueue_time"]
    assert as_json["id"] == "good"


async def test_a_job_whose_key_holds_no_hash_is_refused_in_one_line(
    place: Place, redis_dsn: str, redis: Redis
) -> None:
    await redis.set("rrq:job:text", "x")

    ended = await asyncio.to_thread(rrq, place, redis_dsn, "job", "show", "text", code=1)

    assert ended.stderr == "error: Job text: its key holds no hash\n"


async def test_a_queue_that_is_none_or_has_impossible_times_hides_no_other(
    place: Place, redis_dsn: str, redis: Redis
) -> None:
    await redis.sadd("rrq:queues", "good", "text", "endless", "gone", "", b"\xff")
    await redis.set("rrq:queue:text", "x")
    await redis.zadd("rrq:queue:endless", {"first": "-inf", "last": "+inf"})
    await redis.zadd("rrq:queue:good", {"job": 1})
    await redis.zadd(b"rrq:queue:\xff", {b"\xff": 1e300})

    ended = await asyncio.to_thread(rrq, place, redis_dsn, "queue", "list", "--show-empty")
    rows = json.loads(await said(place, redis_dsn, "queue", "list", "--show-empty", "--json"))

    assert "warning: No sorted set, and so no queue: text" in ended.stderr
    assert "good\t1\t1" in ended.stdout
    assert "endless\t2\t1" in ended.stdout
    names = {row["queue"] for row in rows}
    assert {"good", "endless", "gone", "", "\udcff"} <= names
    assert "text" not in names
