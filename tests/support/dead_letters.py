"""Dead letters as a worker leaves them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

DEATH = "2026-01-01T12:00:00.000000Z"

SEVEN_DAYS_SECONDS = 604_800


def bury(redis: Any, job_ids: Iterable[str], *, dlq: str = "default", **fields: str) -> None:
    """Put jobs that failed three times on top of a dead letter queue, the last of them topmost.

    Args:
        redis: a client that blocks.
        fields: what differs from a job `send_email` of the queue `mail`.
    """
    with redis.pipeline(transaction=False) as pipeline:
        for job_id in job_ids:
            key = f"rrq:job:{job_id}"
            stored = {
                "id": job_id,
                "function_name": "send_email",
                "job_args": '["ada@example.org"]',
                "job_kwargs": "{}",
                "enqueue_time": "2026-01-01T11:00:00.000000Z",
                "next_scheduled_run_time": "2026-01-01T11:59:00.000000Z",
                "status": "FAILED",
                "current_retries": "3",
                "lost_count": "1",
                "max_retries": "3",
                "queue_name": "mail",
                "completion_time": DEATH,
                "last_error": "ValueError: no such address",
                "attempts": '[{"attempt":3,"outcome":"error","error":"no such address"}]',
                **fields,
            }
            pipeline.hset(key, mapping=stored)
            pipeline.expire(key, SEVEN_DAYS_SECONDS)
            pipeline.lpush(f"rrq:dlq:{dlq}", job_id)
        pipeline.execute()
