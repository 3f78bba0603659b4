"""What looking costs Redis, what it needs the right to, and what becomes of it without Redis."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from rrq_top.frame import frame
from rrq_top.inside import JobLook, look_into_queue
from rrq_top.observer import MOST_QUEUES, MOST_RUNNING, MOST_WORKERS, Observer

from .watching import watching

OBSERVER_RULES = """
    reset on >secret %R~rrq:* +time +ping +select +client|setinfo +multi +exec
    +get +pttl +hgetall +hmget +zrange +zrevrange +zrangebyscore +zscore +zcard +zcount +smembers
    +llen +lrange
"""
"""Those of docs/operations/security.md."""


@pytest.fixture
async def store(settings: RRQSettings) -> Any:
    """The shared server, emptied."""
    store = JobStore(settings)
    yield store
    await store.aclose()


# -- what it costs ----------------------------------------------------------------------


async def test_a_look_is_the_same_few_commands_whatever_the_number_of_jobs(
    store: JobStore,
) -> None:
    await _fill(store, jobs=10, running=10)
    few = await _cost(store)
    await store.redis.flushall()
    await _fill(store, jobs=20_000, running=10)
    many = await _cost(store)

    assert many == few
    assert few < 100


async def test_a_look_is_bounded_whatever_runs_and_whoever_works(store: JobStore) -> None:
    await _fill(store, jobs=1, running=3_000, queues=300, workers=250)
    observer = Observer(store)

    snapshot = await observer.snapshot()

    assert await _cost(store) < 2 * MOST_RUNNING + 4 * MOST_WORKERS + 12 * MOST_QUEUES
    assert (len(snapshot.running), snapshot.running_total) == (MOST_RUNNING, 3_000)
    assert (len(snapshot.queues), snapshot.known_queues) == (MOST_QUEUES, 301)
    assert (len(snapshot.workers), snapshot.known_workers) == (MOST_WORKERS, 250)
    text = frame(snapshot)
    assert "301 queues, the 100 active last" in text
    assert "3,000 running, looked at 500" in text
    assert "250 workers, 200 shown" in text


async def _fill(
    store: JobStore, *, jobs: int, running: int, queues: int = 3, workers: int = 2
) -> None:
    now_ms = (await store.now()).timestamp() * 1000
    async with store.redis.pipeline(transaction=False) as pipeline:
        pipeline.zadd("rrq:queue:q-0", {f"waiting-{n}": n for n in range(jobs)})
        pipeline.sadd("rrq:queues", *(f"q-{n}" for n in range(queues)))
        for n in range(running):
            fields = {"status": "ACTIVE", "queue_name": "q-0", "worker_id": f"w-{n % workers}"}
            pipeline.hset(f"rrq:job:running-{n}", mapping=fields)
        pipeline.zadd("rrq:leases", {f"running-{n}": now_ms + 60_000 for n in range(running)})
        await pipeline.execute()
    for n in range(workers):
        await store.workers.heartbeat(f"w-{n}", {"status": "polling"}, 60)


async def _cost(store: JobStore) -> int:
    """How many commands a look makes of Redis, the first one, for nothing is kept then."""
    before = await _calls(store.redis)
    await Observer(store).snapshot()
    return await _calls(store.redis) - before


async def _calls(redis: Redis) -> int:
    stats: dict[str, Any] = await redis.info("commandstats")
    own = ("cmdstat_info", "cmdstat_hello", "cmdstat_client", "cmdstat_select")
    return sum(one["calls"] for name, one in stats.items() if not name.startswith(own))


# -- what it may do ---------------------------------------------------------------------


async def test_one_who_may_only_read_may_look_at_everything(
    store: JobStore, redis_server: EmbeddedRedis
) -> None:
    async with RRQClient(store.settings) as client:
        job = await client.enqueue("send_email", "x", _queue_name="mail")
    assert job is not None
    await store.redis.execute_command("ACL", "SETUSER", "looker", *OBSERVER_RULES.split())
    path = redis_server.dsn.removeprefix("unix://")
    settings = RRQSettings(redis_dsn=f"unix://looker:secret@{path}")
    looker = JobStore(settings)
    try:
        snapshot = await Observer(looker).snapshot()
        queue = await look_into_queue(looker, "mail")
        inside = await JobLook(job.id).again(looker)
    finally:
        await looker.aclose()
        await store.redis.execute_command("ACL", "DELUSER", "looker")

    assert [one.name for one in snapshot.queues if one.size.waiting] == ["mail"]
    assert [waiting.job_id for waiting, _ in queue.waiting] == [job.id]
    assert inside.fields["function_name"] == "send_email"
    # To explain a job takes a script.
    assert inside.reasons == ()


async def test_a_jobs_arguments_are_read_when_it_is_opened_and_when_it_has_changed(
    store: JobStore,
) -> None:
    async with RRQClient(store.settings) as client:
        job = await client.enqueue("send_email", "x" * 100_000)
        assert job is not None
        look = JobLook(job.id)
        first = await look.again(store)
        before = await store.redis.info("commandstats")
        again = await look.again(store)
        after = await store.redis.info("commandstats")
        await client.cancel(job)
        cancelled = await look.again(store)
        await store.redis.delete(f"rrq:job:{job.id}")
        gone = await look.again(store)

    assert len(first.fields["job_args"]) > 100_000
    assert again.fields == first.fields
    assert after["cmdstat_hgetall"] == before["cmdstat_hgetall"]
    assert cancelled.fields["status"] == "CANCELLED"
    assert gone.fields == {}


# -- when Redis is away -----------------------------------------------------------------


async def test_without_redis_the_screen_stays_says_so_and_goes_on_by_itself(
    server: EmbeddedRedis,
) -> None:
    settings = RRQSettings(redis_dsn=server.dsn)
    async with RRQClient(settings) as client:
        await client.enqueue("send_email", _queue_name="mail")
    async with watching(settings) as top:
        await top.shows("\nmail")

        await asyncio.to_thread(server.kill)
        await top.shows("does not answer; asking again.")
        assert top.line_with("mail").split()[:3] == ["mail", "1", "1"]
        await top.press("p", "y")
        await top.shows("was not paused: Redis at")

        await asyncio.to_thread(server.start)
        await top.shows_no("does not answer; asking again.")
        async with RRQClient(settings) as client:
            await client.enqueue("send_email", _queue_name="mail")
        await top.shows("\nmail          2")
        assert await client.job_store.queues.paused() == set()


async def test_a_redis_that_refuses_is_quoted(server: EmbeddedRedis) -> None:
    settings = RRQSettings(redis_dsn=server.dsn)
    admin = Redis.from_url(server.dsn)
    async with watching(settings, size=(160, 24)) as top:
        await admin.execute_command("ACL", "SETUSER", "default", "-zcard")
        await top.shows("refuses; asking again.")
        assert "zcard" in top.line_with("refuses")

        await admin.execute_command("ACL", "SETUSER", "default", "+zcard")
        await top.shows_no("refuses; asking again.")
    await admin.aclose()


# -- what anybody may have written ------------------------------------------------------

HOSTILE = "[red]a\x1b]0;owned\x07\x1b[2J\x9b31m\r\b\u202eb\u2028c[/red]\n[link=x]d"
DANGEROUS = set("\x1b\x07\x9b\r\b\u202e\u2028")


async def test_nothing_that_stands_in_redis_commands_the_terminal_or_breaks_the_screen(
    store: JobStore, settings: RRQSettings
) -> None:
    await _write_hostile_data(store.redis)

    text = frame(await Observer(store).snapshot())
    assert not DANGEROUS & set(text)
    assert text.count("[red]a\\x1b]0;owned") >= 6

    async with watching(settings) as top:
        await top.shows("[red]a\\x1b]0;owned")
        for pane in "1234":
            await top.press(pane, "enter")
            await top.shows("[red]a\\x1b]0;owned")
            await top.press("enter")
            await top.shows("Job ")
            assert not DANGEROUS & set(top.text)
            await top.press("escape", "escape")
        await top.press("1", "p")
        await top.shows("Pause queue")
        await top.press("n", "f", "[", "enter")
        await top.shows("filter: [")


async def _write_hostile_data(redis: Redis) -> None:
    now_ms = time.time() * 1000
    minute = int(now_ms // 60_000)
    fields = {
        "function_name": HOSTILE,
        "queue_name": HOSTILE,
        "worker_id": HOSTILE,
        "last_error": HOSTILE,
        "job_args": json.dumps([HOSTILE]),
        "enqueue_time": "2026-01-01T00:00:00Z",
        "progress": json.dumps({"current": HOSTILE, "total": [], "message": HOSTILE}),
        "start_time": HOSTILE,
    }
    await redis.hset(f"rrq:job:{HOSTILE}", mapping={**fields, "status": "ACTIVE"})
    await redis.hset("rrq:job:malformed", mapping={**fields, "job_args": "{", "status": "x"})
    await redis.zadd("rrq:leases", {HOSTILE: now_ms + 60_000, "malformed": float("inf")})
    await redis.set("rrq:job:no hash", HOSTILE)
    await redis.sadd("rrq:queues", HOSTILE, "no queue")
    await redis.set("rrq:queue:no queue", HOSTILE)
    await redis.zadd(f"rrq:queue:{HOSTILE}", {"malformed": float("-inf"), "no hash": 1})
    await redis.zadd("rrq:stats:queues", {HOSTILE: minute})
    await redis.hset(
        f"rrq:stats:minute:{minute}:queue:{HOSTILE}", mapping={HOSTILE: 1, "wait:x": HOSTILE}
    )
    ended = {**fields, "status": "FAILED", "completion_time": "2026-01-01T00:00:00Z"}
    ended["completion_time"] = f"{time.strftime('%Y-%m-%dT%H:%M', time.gmtime())}:00Z"
    ended_ms = int(now_ms // 60_000) * 60_000
    await redis.hset("rrq:job:failed", mapping={**ended, "start_time": ""})
    stretch = f"FAILED:{len(HOSTILE.encode())}:{HOSTILE}:{HOSTILE}"
    await redis.zadd("rrq:history", {stretch: minute})
    await redis.zadd(f"rrq:history:minutes:{stretch}", {minute: minute})
    await redis.rpush(f"rrq:history:ended:{minute}:{stretch}", f"{ended_ms} failed", HOSTILE)
    health = {
        "status": HOSTILE,
        "active_jobs": HOSTILE,
        "concurrency_limit": {HOSTILE: HOSTILE},
        "queues": [HOSTILE],
        "timestamp": "\ud800",
        "started_at": [],
        "counts": {HOSTILE: HOSTILE},
        "executors": {HOSTILE: {"last_error": HOSTILE, "capacity": HOSTILE}, "y": 7},
        "ttl_seconds": HOSTILE,
    }
    await redis.set(f"rrq:health:worker:{HOSTILE}", json.dumps(health))
    await redis.set("rrq:health:worker:unreadable", HOSTILE)
    await redis.zadd("rrq:workers", {HOSTILE: now_ms + 60_000, "unreadable": float("inf")})
