"""Enqueues the vectors with HSET and ZADD alone, as producers did before there was a step for it,
and is wrong in the ways that its arguments name."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

WAYS = sys.argv[1:]

client = redis.Redis.from_url(os.environ["RRQ_REDIS_DSN"], single_connection_client=True)


def text(rule: Any) -> str:
    pieces = [rule] if isinstance(rule, str) else rule
    return "".join(p if isinstance(p, str) else p["repeat"] * p["times"] for p in pieces)


def enqueue(case: dict[str, Any]) -> None:
    """Write one job."""
    options = case["options"]
    now_ms = time.time_ns() // 1000 / 1000
    due_ms = now_ms + 1000 * options.get("defer_by_seconds", 0)
    if "defer_until" in options:
        due_ms = datetime.fromisoformat(options["defer_until"]).timestamp() * 1000
    queue = options.get("queue_name", "default")
    job_id = options.get("job_id") or str(uuid.uuid4())
    fields = {
        "id": job_id,
        "function_name": case["function_name"],
        "job_args": text(case["args"]),
        "job_kwargs": text(case["kwargs"]),
        "enqueue_time": rfc3339(now_ms),
        "status": "PENDING",
        "current_retries": "0",
        "queue_name": queue,
        "next_scheduled_run_time": rfc3339(due_ms),
        "result": "null",
    }
    for name in ("max_retries", "job_timeout_seconds", "result_ttl_seconds"):
        if name in options:
            fields[name] = str(options[name])
    if "trace_context" in options:
        fields["trace_context"] = json.dumps(options["trace_context"])
    bare = queue.removeprefix("rrq:queue:")
    if "seconds for milliseconds" in WAYS:
        due_ms /= 1000
    if "local time without an offset" in WAYS:
        fields["enqueue_time"] = fields["enqueue_time"].removesuffix("+00:00")
    if "times in whole seconds" in WAYS:
        for name in ("enqueue_time", "next_scheduled_run_time"):
            fields[name] = fields[name].partition(".")[0] + "+00:00"
    if "python for json" in WAYS:
        fields["job_kwargs"] = str(json.loads(text(case["kwargs"])))
    if "text in text" in WAYS:
        fields["job_args"] = json.dumps(fields["job_args"])
    if "numbers through doubles" in WAYS:
        fields["job_args"] = json.dumps(json.loads(fields["job_args"], parse_int=float))
    if "headers in text" in WAYS and "trace_context" in fields:
        fields["trace_context"] = str(options["trace_context"])
    if "a status of its own" in WAYS:
        fields["status"] = "pending"
    if "no queue name" in WAYS:
        del fields["queue_name"]
    if "a key of the full name" in WAYS:
        bare = queue
    if "two queues" in WAYS:
        client.zadd("rrq:queue:all", {job_id: due_ms})
    if "retries for attempts" in WAYS and "max_retries" in options:
        fields["max_retries"] = str(options["max_retries"] - 1)
    if "a hash that expires" in WAYS:
        client.hset(f"rrq:job:{job_id}", mapping=fields)
        client.expire(f"rrq:job:{job_id}", 3600)
    if "another database" in WAYS:
        client.select(63)
    write(f"rrq:job:{job_id}", fields, f"rrq:queue:{bare}", job_id, due_ms)


def write(job_key: str, fields: dict[str, str], queue_key: str, job_id: str, due_ms: float) -> None:
    """Write a hash, and put its id into a queue."""
    if "the queue first" in WAYS:
        client.zadd(queue_key, {job_id: due_ms})
    if "one transaction" in WAYS:
        with client.pipeline(transaction=True) as step:
            step.hset(job_key, mapping=fields)
            step.zadd(queue_key, {job_id: due_ms})
            step.execute()
    elif "a job as text" in WAYS:
        client.set(job_key, json.dumps(fields))
        client.zadd(queue_key, {job_id: due_ms})
    elif "a list for a queue" in WAYS:
        client.hset(job_key, mapping=fields)
        client.lpush(queue_key, job_id)
    else:
        client.hset(job_key, mapping=fields)
        client.zadd(queue_key, {job_id: due_ms})


def rfc3339(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


for case in json.loads(Path(os.environ["RRQ_VECTORS"]).read_text("utf-8"))["cases"]:
    if case.get("needs") not in ("unique_keys", "replacing"):
        enqueue(case)
if "a job of its own" in WAYS:
    enqueue({"function_name": "hello", "args": "[]", "kwargs": "{}", "options": {}})
