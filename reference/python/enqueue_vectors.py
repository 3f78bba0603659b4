"""Enqueues the test vectors, for `rrq producer check -- python enqueue_vectors.py`."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import redis
from producer import DuplicateJob, Producer


def text(rule: Any) -> str:
    """A text of the vectors: itself, or pieces that may be repeated."""
    pieces = [rule] if isinstance(rule, str) else rule
    return "".join(p if isinstance(p, str) else p["repeat"] * p["times"] for p in pieces)


producer = Producer(redis.Redis.from_url(os.environ["RRQ_REDIS_DSN"]))
for case in json.loads(Path(os.environ["RRQ_VECTORS"]).read_text("utf-8"))["cases"]:
    options = case["options"]
    if "defer_until" in options:
        options["defer_until"] = datetime.fromisoformat(options["defer_until"])
    args, kwargs = json.loads(text(case["args"])), json.loads(text(case["kwargs"]))
    try:
        producer.enqueue(case["function_name"], args, kwargs, **options)
    except DuplicateJob as held:
        print(f"{case['name']}: job {held} holds the key")
