"""`Trouble`: what is wrong with Redis, and since when nobody could look."""

from __future__ import annotations

from dataclasses import dataclass

from rrq.cli.render import printable
from rrq.store.connection import is_unreachable

LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, escaped already.

    Attributes:
        what: as in `Redis at localhost:6379 does not answer`.
        reason: in the words of whoever noticed.
    """

    what: str
    reason: str


def trouble(address: str, error: BaseException) -> Trouble:
    """What is wrong with the Redis of this address."""
    lines = str(error).strip().splitlines()
    reason = printable((lines[0] if lines else type(error).__name__)[:LONGEST_REASON])
    what = "does not answer" if is_unreachable(error) else "refuses"
    return Trouble(f"Redis at {printable(address)} {what}", reason.rstrip("."))
