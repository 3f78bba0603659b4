"""Enqueues the vectors with HSET and ZADD alone, as producers did before there was a step for it,
and is wrong in the way that its argument names, if it has one."""

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

WAY = sys.argv[1] if len(sys.argv) > 1 else ""

client = redis.Redis.from_url(os.environ["RRQ_REDIS_DSN"])


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
    match WAY:
        case "seconds for milliseconds":
            due_ms /= 1000
        case "local time without an offset":
            fields["enqueue_time"] = fields["enqueue_time"].removesuffix("+00:00")
        case "python for json":
            fields["job_kwargs"] = str(json.loads(text(case["kwargs"])))
        case "no queue name":
            del fields["queue_name"]
        case "a key of the full name":
            bare = queue
        case "a hash that expires":
            client.hset(f"rrq:job:{job_id}", mapping=fields)
            client.expire(f"rrq:job:{job_id}", 3600)
        case "retries for attempts":
            if "max_retries" in options:
                fields["max_retries"] = str(options["max_retries"] - 1)
    if WAY == "the queue first":
        client.zadd(f"rrq:queue:{bare}", {job_id: due_ms})
    if WAY == "one transaction":
        with client.pipeline(transaction=True) as step:
            step.hset(f"rrq:job:{job_id}", mapping=fields)
            step.zadd(f"rrq:queue:{bare}", {job_id: due_ms})
            step.execute()
    else:
        client.hset(f"rrq:job:{job_id}", mapping=fields)
        client.zadd(f"rrq:queue:{bare}", {job_id: due_ms})


def rfc3339(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


for case in json.loads(Path(os.environ["RRQ_VECTORS"]).read_text("utf-8"))["cases"]:
    if case.get("needs") not in ("unique_keys", "replacing"):
        enqueue(case)
if WAY == "a job of its own":
    enqueue({"function_name": "hello", "args": "[]", "kwargs": "{}", "options": {}})
