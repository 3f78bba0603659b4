"""Commands in Redis' wire format, packed by hiredis.

redis-py's asyncio connections do that argument by argument in Python, which for a step with
thousands of arguments takes more time than all the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hiredis import pack_command


def packed(command: Sequence[str | bytes | int | float]) -> bytes | None:
    """A command of one word, packed before it is sent; None if only redis-py can pack it."""
    words: Any = tuple(command)
    try:
        wire: bytes = pack_command(words)
    except (TypeError, UnicodeEncodeError):
        return None
    return wire


def with_fast_packing(connection_class: type[Any]) -> type[Any]:
    """A connection class of redis-py's that differs in this only."""

    class FastPackingConnection(connection_class):  # type: ignore[misc]
        is_ours = True

        def pack_command(self, *args: Any) -> list[bytes]:
            name = args[0]
            # Only redis-py knows a command of two words, and text that is not UTF-8.
            if (" " in name) if isinstance(name, str) else (b" " in name):
                return super().pack_command(*args)  # type: ignore[no-any-return]
            wire = packed(args)
            if wire is None:
                return super().pack_command(*args)  # type: ignore[no-any-return]
            return [wire]

    return FastPackingConnection
