"""Which key is what: from a name to its room, and from the room to the type that it must have."""

from __future__ import annotations

import re
from typing import Literal

Room = Literal["job", "queue", "dlq", "unique", "held", "old lock", "other"]
"""Where a key belongs, as far as the examination treats it in its own way."""

_ROOMS: dict[str, Room] = {
    "job:": "job",
    "queue:": "queue",
    "dlq:": "dlq",
    "lock:unique:": "unique",
    "held:": "held",
    "lock:job:": "old lock",
    "active:jobs:": "old lock",
}

_TYPES = {
    "queue:": "zset",
    "dlq:": "list",
    "lock:unique:": "string",
    "held:": "zset",
    "idle:": "zset",
    "mailbox:": "list",
    "waiters:": "set",
    "health:worker:": "string",
    "cron:": "string",
    "history:minutes:": "zset",
    "history:ended:": "list",
    "stats:queue:": "hash",
    "stats:function:": "hash",
    "stats:minute:": "hash",
    "job:": "hash",
}

_TYPES_OF_ONE = {
    "queues": "set",
    "paused": "set",
    "leases": "zset",
    "lease:token": "string",
    "workers": "zset",
    "unborn": "zset",
    "stats:queues": "zset",
    "stats:functions": "zset",
    "history": "zset",
}


class Keyspace:
    """The keys under one prefix."""

    def __init__(self, prefix: str) -> None:
        self._root = f"{prefix}:"

    @property
    def pattern(self) -> str:
        """What SCAN must match: the prefix, and anything."""
        return re.sub(r"([*?\[\]\\^])", r"\\\1", self._root) + "*"

    def room(self, key: str) -> tuple[Room, str]:
        """Where a key belongs, and its name there: a job's id, a queue's bare name."""
        name = key.removeprefix(self._root)
        for start, room in _ROOMS.items():
            if name.startswith(start):
                return room, name.removeprefix(start)
        return "other", name

    def type_of(self, key: str) -> str | None:
        """The type that a key must have; None if it is none of ours."""
        name = key.removeprefix(self._root)
        if name in _TYPES_OF_ONE:
            return _TYPES_OF_ONE[name]
        return next((kind for start, kind in _TYPES.items() if name.startswith(start)), None)


def old_lock_key(prefix: str, job_id: str) -> str:
    """The lock that a worker of RRQ 0.9 holds while it runs a job."""
    return f"{prefix}:lock:job:{job_id}"
