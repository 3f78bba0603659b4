"""Puts jobs into RRQ's queues, with no package but `redis`: to be read by whoever ports it.

    producer = Producer(redis.Redis.from_url("redis://localhost:6379/0"))
    job_id = producer.enqueue("send_email", ["a@example.com"], {"subject": "Hello"})

It sends the Lua step that RRQ's own client sends, so that a job is written at once or not at all,
a sleeping worker wakes, and unique keys are kept. The page docs/reference/schema.md describes it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha1
from pathlib import Path
from typing import Any

import redis

LUA = Path(__file__).parents[2] / "rrq" / "store" / "lua"
"""Where the step's files are; in another place, copy them there."""

UNIQUE_KEY_MS = 21_600_000
"""How long a unique key is held beyond the due time."""


class DuplicateJob(Exception):
    """Another job holds the unique key; its id is the argument."""


class JobAlreadyRunning(Exception):
    """The job of this id runs."""


class Producer:
    """Enqueues jobs through one connection.

    Args:
        client: it must not have `decode_responses`.
        prefix: the setting `key_prefix`.
        default_queue, default_dlq: the names that the workers use.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        prefix: str = "rrq",
        default_queue: str = "default",
        default_dlq: str = "default",
        lua: Path = LUA,
    ) -> None:
        self._redis = client
        self._prefix = prefix
        self._default_queue = default_queue
        self._default_dlq = default_dlq
        self._script = joined_script(lua)
        self._digest = sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    def enqueue(
        self,
        function_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        queue_name: str | None = None,
        job_id: str | None = None,
        unique_key: str = "",
        on_conflict: str = "skip",
        defer_by_seconds: float = 0,
        defer_until: datetime | None = None,
        max_retries: int | None = None,
        job_timeout_seconds: float | None = None,
        result_ttl_seconds: int | None = None,
        trace_context: Mapping[str, str] | None = None,
    ) -> str | None:
        """Enqueue one job; what is None is left to the worker.

        Returns:
            Its id, or None if `on_conflict` is "skip" and another job holds the unique key.

        Raises:
            DuplicateJob: `on_conflict` is "raise", and another job holds the key.
            JobAlreadyRunning: `job_id` is that of a running job.
            TypeError, ValueError: an argument cannot be JSON, or an option is less than it can be.
        """
        limits = {"max_retries": (max_retries, 1), "result_ttl_seconds": (result_ttl_seconds, 0)}
        for name, (value, smallest) in limits.items():
            if value is not None and value < smallest:
                raise ValueError(f"{name} is {value}: the smallest is {smallest}")
        if job_timeout_seconds is not None and job_timeout_seconds <= 0:
            raise ValueError(f"job_timeout_seconds is {job_timeout_seconds}: it must be above 0")
        queue = queue_name or self._default_queue
        fields: dict[str, Any] = {
            "function_name": function_name,
            "job_args": _json(list(args)),
            "job_kwargs": _json(dict(kwargs or {})),
            "queue_name": queue,
            "max_retries": max_retries,
            "job_timeout_seconds": job_timeout_seconds,
            "result_ttl_seconds": result_ttl_seconds,
            "trace_context": _json(dict(trace_context)) if trace_context else None,
        }
        given = [part for field in fields.items() if field[1] is not None for part in field]
        job = [
            job_id or str(uuid.uuid4()),
            queue.removeprefix(f"{self._prefix}:queue:"),
            "in" if defer_until is None else "at",
            1000 * defer_by_seconds if defer_until is None else _epoch_ms(defer_until),
            unique_key,
            UNIQUE_KEY_MS,
            on_conflict,
            # The same when the call is sent again, so that it is carried out once.
            uuid.uuid4().hex if job_id else "",
            len(given) // 2,
            *given,
        ]
        _, [kind, *answer] = self._call([self._default_dlq, 1, *job])
        if kind == b"refused":
            _, why, holder = answer
            refusal = JobAlreadyRunning if why == b"running" else DuplicateJob
            raise refusal(holder.decode())
        return None if kind == b"duplicate" else answer[0].decode()

    def _call(self, arguments: list[Any]) -> Any:
        """Run the step; after a dropped connection, once more with the same arguments."""
        for attempt in (1, 2, 3):
            try:
                return self._redis.evalsha(self._digest, 1, f"{self._prefix}:", *arguments)
            except redis.exceptions.NoScriptError:
                self._redis.script_load(self._script)
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
                if attempt == 3:
                    raise
                time.sleep(0.1 * attempt)
        return self._redis.eval(self._script, 1, f"{self._prefix}:", *arguments)


def joined_script(folder: Path) -> str:
    """The step's text: what stands before it, what its first line names, and itself."""
    step = (folder / "enqueue.lua").read_text("utf-8")
    used = step.splitlines()[0].removeprefix("--! use ").split()
    parts = [(folder / f"{name}.lua").read_text("utf-8") for name in ("_base", *used)]
    return "\n".join([*parts, step])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _epoch_ms(moment: datetime) -> float:
    # Whole microseconds: a float of seconds loses some of them.
    since = moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) / 1000
