"""Loading and calling the atomic steps, the Lua scripts in `lua/`.

A step is its file behind `_base.lua` and the fragments that its first line names
(`--! use _wake _end`), joined once when it is first called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, ResponseError

from rrq.store.packing import packed

if TYPE_CHECKING:
    from rrq.store.line import Line

Argument = str | bytes | int | float

_FOLDER = Path(__file__).parent / "lua"
_USE = "--! use "


@dataclass(slots=True)
class PreparedCall:
    """A step with its arguments, and if possible already as it is sent."""

    step: str
    arguments: Sequence[Argument]
    packed: bytes | None


class Steps:
    """The atomic steps of one RRQ, that is of one key prefix, on one Redis.

    Args:
        line: where to send them, if not by a connection of the client's pool.
    """

    def __init__(self, redis: Any, prefix: str, line: Line | None = None) -> None:
        # `Any`: redis-py gives `execute_command` no types.
        self._redis = redis
        self._prefix = prefix
        self._line = line
        self._execute: Any = line.call if line else redis.execute_command
        self._root = f"{prefix}:"

    def over(self, line: Line) -> Steps:
        """The same steps, sent over another line."""
        return Steps(self._redis, self._prefix, line)

    def prepared(self, step: str, *arguments: Argument) -> PreparedCall:
        """A call to be carried out later, at once then: what can be done before it is sent is
        done here."""
        digest = _source(step)[1]
        words = ("EVALSHA", digest, 1, self._root, *arguments)
        return PreparedCall(step, arguments, packed(words) if self._line else None)

    async def carry_out(self, call: PreparedCall) -> Any:
        """As `call`, for one that was prepared.

        Raises:
            redis.exceptions.RedisError: what the server or the connection says.
        """
        if self._line is None or call.packed is None:
            return await self.call(call.step, *call.arguments)
        try:
            return await self._line.call_packed(call.packed)
        except NoScriptError:
            return await self.call(call.step, *call.arguments)

    async def call(self, step: str, *arguments: Argument) -> Any:
        """Carry out one step and give its answer; a server that forgot the script learns it.

        Raises:
            redis.exceptions.RedisError: what the server or the connection says.
        """
        return await self._evaluate("", step, arguments)

    async def read(self, step: str, *arguments: Argument) -> Any:
        """As `call`, for a step that only reads: the server refuses to let it write, and asks for
        no right to. Redis 6 and older cannot know, and take its word for it.
        """
        try:
            return await self._evaluate("_RO", step, arguments)
        except ResponseError as error:
            if not str(error).lower().startswith("unknown command"):
                raise
            return await self.call(step, *arguments)

    async def _evaluate(self, kind: str, step: str, arguments: Sequence[Any]) -> Any:
        source, digest = _source(step)
        try:
            return await self._execute(f"EVALSHA{kind}", digest, 1, self._root, *arguments)
        except NoScriptError:
            return await self._execute(f"EVAL{kind}", source, 1, self._root, *arguments)


@cache
def _source(step: str) -> tuple[str, str]:
    """A step's whole Lua text and its SHA-1."""
    text = _read(step)
    first_line = text.partition("\n")[0]
    fragments = first_line.removeprefix(_USE).split() if first_line.startswith(_USE) else []
    source = "\n".join([*(_read(name) for name in ("_base", *fragments)), text])
    return source, sha1(source.encode(), usedforsecurity=False).hexdigest()


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
