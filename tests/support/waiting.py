"""Waiting for a condition with a deadline, the only clock that a test may use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar

T = TypeVar("T")

_PAUSE_SECONDS = 0.01


async def eventually(
    condition: Callable[[], T | Awaitable[T]],
    within_seconds: float = 10.0,
    what: str = "",
    pause_seconds: float = _PAUSE_SECONDS,
) -> T:
    """The first truthy answer of `condition`, which may be a plain or an async function.

    Args:
        pause_seconds: between two questions; longer for one that is dear to ask.

    Raises:
        AssertionError: there was none within the time; it says `what` was waited for and the
            last answer.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        answer = condition()
        if isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(_never_came(what, within_seconds, answer))
        await asyncio.sleep(pause_seconds)


def eventually_blocking(
    condition: Callable[[], T], within_seconds: float = 10.0, what: str = ""
) -> T:
    """As `eventually`, for a test without an event loop.

    Raises:
        AssertionError: as `eventually`.
    """
    deadline = time.monotonic() + within_seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(_never_came(what, within_seconds, answer))
        time.sleep(_PAUSE_SECONDS)
    return answer


def _never_came(what: str, within_seconds: float, answer: object) -> str:
    name = what or "the condition"
    return f"{name} did not come true within {within_seconds:g} s; the last answer: {answer!r}"
