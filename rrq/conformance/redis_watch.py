"""`RedisWatch`: sees through MONITOR in which order, and in which steps, jobs are written."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

if TYPE_CHECKING:
    import redis

WAIT_SECONDS = 20.0
"""How long what Redis has carried out may take to be told."""


@dataclass(frozen=True, slots=True)
class Write:
    """A hash or a queue entry was written.

    Attributes:
        kind: which of the two.
        job_id: whose.
        step: the same number for all that was written in one script or transaction.
    """

    kind: Literal["hash", "queue"]
    job_id: bytes
    step: int


class RedisWatch:
    """Watches a server from `start` to `end`.

    Args:
        client: a client of the server, for bytes.
        job_root, queue_root: what stands before an id in a job's key, and before a name in a
            queue's.
    """

    def __init__(self, client: redis.Redis, job_root: str, queue_root: str) -> None:
        self.writes: list[Write] = []
        self._client = client
        self._mark = uuid4().hex.encode()
        self._database = str(client.get_connection_kwargs().get("db") or 0).encode()
        self._job_root = job_root.encode()
        self._queue_root = queue_root.encode()
        self._step = 0
        self._transactions: dict[bytes, int] = {}
        self._was_script = False
        self._connection: Any = None
        self._thread = threading.Thread(target=self._listen, name="rrq-monitor", daemon=True)

    def start(self) -> bool:
        """Begin; False if the server does not let us."""
        from redis.exceptions import RedisError

        self._connection = self._client.monitor().connection  # type: ignore[no-untyped-call]
        try:
            self._connection.send_command("MONITOR")
            self._connection.read_response()
        except RedisError:
            self._connection.disconnect()
            return False
        self._thread.start()
        return True

    def end(self) -> list[Write]:
        """What was written, once all that happened until now is told."""
        self._client.echo(self._mark)
        self._thread.join(WAIT_SECONDS)
        self._connection.disconnect()
        return self.writes

    def _listen(self) -> None:
        while (line := self._next()) is not None and self._mark not in line[-100:]:
            self._see(line)

    def _next(self) -> bytes | None:
        from redis.exceptions import RedisError

        try:
            line = self._connection.read_response(disconnect_on_error=False)
        except (RedisError, OSError, ValueError):
            return None
        return line.encode() if isinstance(line, str) else bytes(line)

    def _see(self, line: bytes) -> None:
        database, client, first = _sender_of(line)
        words = _WORD.finditer(line, first)
        command = _unescaped(next(words)[1]).lower()
        if client == b"lua":
            if not self._was_script:
                self._step += 1
            step = self._step
        else:
            self._step += 1
            step = self._transactions.get(client, self._step)
            if command == b"multi":
                self._transactions[client] = step
            elif command in (b"exec", b"discard"):
                self._transactions.pop(client, None)
        self._was_script = client == b"lua"
        if database != self._database:
            return  # Somebody else's, on the same server.
        if command in (b"hset", b"hmset", b"hsetnx"):
            key = _unescaped(next(words)[1])
            if key.startswith(self._job_root):
                self.writes.append(Write("hash", key.removeprefix(self._job_root), step))
        elif command == b"zadd":
            key, *rest = (_unescaped(word[1]) for word in words)
            if key.startswith(self._queue_root):
                while rest and rest[0].lower() in _ZADD_FLAGS:
                    del rest[0]
                self.writes += [Write("queue", job_id, step) for job_id in rest[1::2]]


_ZADD_FLAGS = frozenset((b"nx", b"xx", b"gt", b"lt", b"ch", b"incr"))
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_HEAD = re.compile(rb"[0-9.]+ \[([0-9]+) ([^\]]*(?:\][^\]]*)*?)\] \"")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.S)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def _sender_of(line: bytes) -> tuple[bytes, bytes, int]:
    """In which database a command was carried out, for whom, and where its words begin."""
    head = _HEAD.match(line)
    return (head[1], head[2], head.end() - 1) if head else (b"", b"", 0)


def _unescaped(word: bytes) -> bytes:
    def meant(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code[1:], 16)]) if len(code) == 3 else _PLAIN.get(code, code)

    return _ESCAPE.sub(meant, word) if b"\\" in word else word
