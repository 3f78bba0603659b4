"""Waiting for a condition with a deadline, the only clock that a test may use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.05
_PART_OF_THE_WAIT = 0.02
_TIMES_THE_QUESTION = 4.0


async def eventually(
    condition: Callable[[], T | Awaitable[T]],
    within_seconds: float = 10.0,
    what: str = "",
    pause_seconds: float = _PAUSE_SECONDS,
) -> T:
    """The first truthy answer of `condition`, which may be a plain or an async function.

    Args:
        pause_seconds: the least between two questions.

    Raises:
        AssertionError: there was none within the time; it says `what` was waited for and the
            last answer.
    """
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        answer = condition()
        if isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > began + within_seconds:
            raise AssertionError(_never_came(what, within_seconds, answer))
        await asyncio.sleep(_pause(pause_seconds, began, asked))


def eventually_blocking(
    condition: Callable[[], T], within_seconds: float = 10.0, what: str = ""
) -> T:
    """As `eventually`, for a test without an event loop.

    Raises:
        AssertionError: as `eventually`.
    """
    began = asked = time.monotonic()
    while not (answer := condition()):
        if time.monotonic() > began + within_seconds:
            raise AssertionError(_never_came(what, within_seconds, answer))
        time.sleep(_pause(_PAUSE_SECONDS, began, asked))
        asked = time.monotonic()
    return answer


def _pause(least_seconds: float, began: float, asked: float) -> float:
    """Longer, the longer a question takes and the longer the wait is already: the others of this
    machine need its processors, too."""
    now = time.monotonic()
    longer_seconds = max(_TIMES_THE_QUESTION * (now - asked), _PART_OF_THE_WAIT * (now - began))
    return max(least_seconds, min(longer_seconds, _LONGEST_PAUSE_SECONDS))


def _never_came(what: str, within_seconds: float, answer: object) -> str:
    name = what or "the condition"
    return f"{name} did not come true within {within_seconds:g} s; the last answer: {answer!r}"
