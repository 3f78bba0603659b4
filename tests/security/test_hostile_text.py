"""No text of a job, a worker or an executor commands a terminal or forges a line."""

from __future__ import annotations

import asyncio
import json
import os
import pty
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.settings import RRQSettings
from tests.security.workplace import configure, rrq, start_worker
from tests.support.places import Place
from tests.support.preloaded import fork
from tests.support.waiting import eventually

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\x9b31m\r\b\u202eb\u2028c"
"""Sets the title, clears the screen, colours, overwrites, turns the direction, breaks the line."""

FORGED = f"{HOSTILE}\n12:00:00 ERROR   rrq.worker: forged"

DANGEROUS = "\x1b\x07\x9b\r\b\u202e\u2028"


def dangerous_in(text: str) -> set[str]:
    return set(DANGEROUS) & set(text)


@pytest.fixture(params=["console", "json"])
def log_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_no_line_of_a_worker_obeys_or_is_forged_by_a_job(
    place: Place, redis_dsn: str, redis: Redis, log_format: str
) -> None:
    configure(place)
    options = ("--log-level", "debug", "--log-format", log_format)
    worker = await asyncio.to_thread(start_worker, place, redis_dsn, *options)
    async with RRQClient(RRQSettings(redis_dsn=redis_dsn)) as client:
        ids = [f"{FORGED} {number}" for number in range(6)]
        await client.enqueue("fail", FORGED, _job_id=ids[0], _max_retries=1)
        await client.enqueue(FORGED, _job_id=ids[1])
        await client.enqueue(f"{FORGED}#echo", _job_id=ids[2])
        await client.enqueue("say", HOSTILE, _job_id=ids[3])
        await client.enqueue("echo", FORGED, _job_id=ids[4], _queue_name="default")
        await redis.zadd("rrq:queue:default", {f"{ids[5]} of no job": 1})
        await eventually(lambda: _are_dead(redis, 3))
        assert await client.wait(ids[3], timeout=20) is None
        assert await client.wait(ids[4], timeout=20) == FORGED
        await asyncio.to_thread(worker.said, "Dropped", 20)
    ended = await asyncio.to_thread(worker.stop)

    assert "owned" in ended.stderr
    assert dangerous_in(ended.stderr) == set()
    lines = ended.stderr.splitlines()
    assert not [line for line in lines if line.startswith("12:00:00 ERROR")]
    if log_format == "json":
        assert all(json.loads(line)["message"] for line in lines)


async def _are_dead(redis: Redis, count: int) -> bool:
    return await redis.llen("rrq:dlq:default") == count


async def _write_hostile_data(redis: Redis) -> None:
    """Under every name, in every place that a command shows."""
    fields = {
        "id": FORGED,
        "function_name": FORGED,
        "job_args": json.dumps([FORGED], ensure_ascii=False),
        "job_kwargs": json.dumps({FORGED: FORGED}, ensure_ascii=False),
        "enqueue_time": "2026-01-01T00:00:00Z",
        "status": "FAILED",
        "queue_name": FORGED,
        "worker_id": FORGED,
        "dlq_name": FORGED,
        "result": json.dumps(FORGED, ensure_ascii=False),
        "last_error": FORGED,
        "attempts": json.dumps([{"outcome": FORGED, "worker": FORGED, "error": FORGED}]),
        FORGED: FORGED,
    }
    await redis.hset(f"rrq:job:{FORGED}", mapping=fields)
    await redis.hset("rrq:job:broken", mapping={**fields, "current_retries": FORGED})
    await redis.lpush("rrq:dlq:default", FORGED, "broken", f"{FORGED} without a hash")
    await redis.sadd("rrq:queues", FORGED, f"{FORGED} that is none")
    await redis.zadd(f"rrq:queue:{FORGED}", {FORGED: 1})
    await redis.set(f"rrq:queue:{FORGED} that is none", "x")
    health = {
        "worker_id": FORGED,
        "status": FORGED,
        "active_jobs": FORGED,
        "queues": [FORGED],
        "timestamp": FORGED,
        "concurrency_limit": {FORGED: FORGED},
    }
    seconds, _ = await redis.time()
    await redis.set(f"rrq:health:worker:{FORGED}", json.dumps(health, ensure_ascii=False))
    await redis.zadd("rrq:workers", {FORGED: seconds * 1000 + 60_000})


COMMANDS = [
    ("check",),
    ("queue", "list"),
    ("queue", "inspect", FORGED),
    ("queue", "pause", FORGED),
    ("dlq", "list"),
    ("dlq", "list", "--dlq-name", FORGED),
    ("dlq", "list", "--error", "owned", "--raw"),
    ("dlq", "stats"),
    ("dlq", "inspect", FORGED),
    ("dlq", "inspect", "broken"),
    ("dlq", "requeue", "--all", "--dry-run"),
    ("job", "list"),
    ("job", "explain", FORGED),
    ("queue", "stats"),
    ("doctor", "--patience", "0"),
    ("dlq", "requeue", "--job-id", f"{FORGED} that is not there"),
    ("dlq", "requeue", "--all", "--target-queue", FORGED),
    ("dlq", "delete", "--all", "--dry-run"),
    ("job", "show", FORGED),
    ("job", "show", FORGED, "--raw"),
    ("job", "show", "broken"),
    ("job", "trace", FORGED),
    ("job", "cancel", FORGED),
    ("job", "replay", FORGED, "--queue", FORGED),
    ("cron", "run", FORGED),
    ("job", "show", f"{FORGED} that is not there"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:12])
@pytest.mark.parametrize("json_", [False, True], ids=["text", "json"])
async def test_no_command_passes_on_what_a_terminal_obeys(
    place: Place, redis_dsn: str, redis: Redis, words: tuple[str, ...], json_: bool
) -> None:
    await _write_hostile_data(redis)
    options = ("--json",) if json_ else ()

    ended = await asyncio.to_thread(rrq, place, redis_dsn, *words, *options, code=None)

    said = ended.stdout + ended.stderr
    assert "Traceback" not in said
    assert dangerous_in(said) == set()
    assert not [line for line in said.splitlines() if line.startswith("12:00:00")]
    assert "owned" in said or words[:2] in (("dlq", "list"), ("job", "replay"))
    if json_ and ended.code == 0:
        assert json.loads(ended.stdout) is not None


@pytest.mark.parametrize(
    "words", [("check",), ("dlq", "list"), ("queue", "list"), ("job", "show", FORGED)]
)
async def test_a_real_terminal_gets_no_command_of_a_job(
    place: Place, redis_dsn: str, redis: Redis, words: tuple[str, ...]
) -> None:
    await _write_hostile_data(redis)
    variables = {"RRQ_REDIS_DSN": redis_dsn, "NO_COLOR": "1", "COLUMNS": "200"}

    shown = await asyncio.to_thread(_on_a_terminal, place, words, variables)

    assert "owned" in shown
    # What a terminal itself makes of a line feed.
    assert dangerous_in(shown.replace("\r\n", "\n")) == set()


def _on_a_terminal(place: Place, words: Sequence[str], variables: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    environment = place.environment(**variables)
    process = fork("rrq", words, place.directory, environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass  # Linux says so when the last writer has gone.
    finally:
        os.close(ours)
    process.wait(20)
    return shown.decode()
