"""Redis' replies as Python values: redis-py types them as unions of all that a command may give.

Nothing here imports redis: whoever makes jobs and is not connected need not wait for it.
"""

from __future__ import annotations

from typing import Any


def text(reply: Any) -> str:
    """One string of a reply; an id that is not UTF-8 comes back unharmed."""
    if isinstance(reply, str):
        return reply
    decoded: str = reply.decode(errors="surrogateescape")
    return decoded


def texts(reply: Any) -> list[str]:
    """A reply's strings."""
    return [text(part) for part in reply]


def is_wrong_type(reply: Any) -> bool:
    """Whether Redis said that the key holds another kind of value than was asked for."""
    return isinstance(reply, Exception) and str(reply).startswith("WRONGTYPE")
