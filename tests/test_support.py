"""The helpers of the tests must not call a failure a success."""

from __future__ import annotations

import pytest

from tests.support.waiting import eventually, eventually_blocking


async def test_eventually_gives_the_first_true_answer_of_a_plain_or_an_async_condition() -> None:
    plain = iter([0, None, "here", "later"])
    assert await eventually(lambda: next(plain)) == "here"
    answers = iter([0, None, "here", "later"])

    async def condition() -> object:
        return next(answers)

    assert await eventually(condition) == "here"


async def test_eventually_fails_at_its_deadline_and_tells_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"the end did not come true .* last answer: \[\]"):
        await eventually(list, within_seconds=0.05, what="the end")
    with pytest.raises(AssertionError, match=r"the condition did not .* last answer: \[\]"):
        eventually_blocking(list, within_seconds=0.05)
