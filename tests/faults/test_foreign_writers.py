"""Jobs that a producer without RRQ writes with plain Redis commands, good and malformed, and a
real worker that runs or dead-letters each and goes on."""

from __future__ import annotations

import time
from typing import Any

from tests.faults.invariants import nothing_is_left
from tests.faults.rig import Rig
from tests.support.waiting import eventually

GOOD: dict[str, Any] = {
    "function_name": "quick",
    "job_args": "[]",
    "job_kwargs": "{}",
    "enqueue_time": "2026-01-01T12:00:00.123456789+00:00",
    "status": "PENDING",
    "current_retries": "0",
    "queue_name": "rrq:queue:default",
    "next_scheduled_run_time": "2026-01-01T12:00:00.123456789+00:00",
    "result": "null",
}

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no-function": ({"function_name": None}, "Handler name is missing"),
    "no-time": ({"enqueue_time": None}, "`enqueue_time` is missing"),
    "broken-args": ({"job_args": "[1,"}, "`job_args` is not a JSON array"),
    "object-for-args": ({"job_args": "{}"}, "`job_args` is not a JSON array"),
    "array-for-kwargs": ({"job_kwargs": "[]"}, "`job_kwargs` is not a JSON object"),
    "no-utf8": ({"job_args": b'["\xff\xfe"]'}, "`job_args` is not a JSON array"),
    "words-for-retries": ({"max_retries": "many"}, "`max_retries` is no usable number"),
    "negative-timeout": ({"job_timeout_seconds": "-5"}, "`job_timeout_seconds` is no usable"),
    "numbers-for-trace": ({"trace_context": '{"a": 1}'}, "`trace_context` is not a JSON object"),
    "no-handler": ({"function_name": "nobody"}, "No handler registered for function 'nobody'"),
    "no-executor": ({"function_name": "cobol#quick"}, "No executor configured for 'cobol'."),
}


async def write(rig: Rig, job_id: str, queue: str = "default", **changes: Any) -> None:
    """HSET and ZADD, as the page about the schema says."""
    fields = {"id": job_id, **GOOD, **changes}
    pairs = [part for pair in fields.items() if pair[1] is not None for part in pair]
    await rig.redis("HSET", f"rrq:job:{job_id}", *pairs)
    await rig.redis("ZADD", f"rrq:queue:{queue}", time.time() * 1000, job_id)


async def test_good_jobs_run_and_malformed_ones_end_in_the_dlq_with_the_reason(rig: Rig) -> None:
    await rig.worker()
    for job_id, (changes, _) in MALFORMED.items():
        await write(rig, job_id, **changes)
    good = {
        "plain": {},
        "null-arguments": {"job_args": "null", "job_kwargs": "null"},
        "pretty-json": {"job_args": '[\n  1,\n  "two"\n]'},
        "raw-utf8": {"job_args": '["žluťoučký 🐎"]'},
        "bare-queue": {"queue_name": "default"},
        "ten-megabytes": {"job_args": f'["{"x" * 10_000_000}"]'},
        "unknown-fields": {"colour": "green"},
    }
    for job_id, changes in good.items():
        await write(rig, job_id, **changes)

    await rig.all_ended([*MALFORMED, *good], 20)

    assert await rig.statuses(good) == dict.fromkeys(good, "COMPLETED")
    assert await rig.statuses(MALFORMED) == dict.fromkeys(MALFORMED, "FAILED")
    for job_id, (_, reason) in MALFORMED.items():
        assert reason in await rig.field(job_id, "last_error"), job_id
    entries = await rig.redis("LRANGE", "rrq:dlq:default", 0, -1)
    assert sorted(entry.decode() for entry in entries) == sorted(MALFORMED)
    await nothing_is_left(rig)


async def test_what_is_no_job_at_all_leaves_the_queue_and_stops_nothing(rig: Rig) -> None:
    await rig.worker()
    await rig.redis("SET", "rrq:job:text", "a string where a hash should be")
    for job_id in ("text", "nothing", b"\xff\xfe"):
        await rig.redis("ZADD", "rrq:queue:default", 0, job_id)
    await write(rig, "after-them")

    await rig.all_ended(["after-them"], 10)

    async def is_empty() -> bool:
        return not await rig.redis("ZCARD", "rrq:queue:default")

    # An id without a hash is given five seconds, in case its producer is between two writes.
    await eventually(is_empty, 15, "an empty queue")
    assert await rig.redis("GET", "rrq:job:text") == b"a string where a hash should be"
    await nothing_is_left(rig)


async def test_a_job_that_is_queued_again_while_it_runs_runs_once(rig: Rig) -> None:
    await rig.worker()
    await write(rig, "twice", function_name="sleeping", job_args="[0.5]")
    await rig.running("twice")

    await rig.redis("ZADD", "rrq:queue:default", 1, "twice")
    last = await rig.enqueue("quick")

    await rig.all_ended(["twice", last], 10)
    assert len(rig.ledger.starts("twice")) == 1
    assert await rig.redis("ZCARD", "rrq:queue:default") == 0
    await nothing_is_left(rig)
