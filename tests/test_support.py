"""The helpers of the tests must not call a failure a success."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.places import Place
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


def test_a_place_ends_what_outlives_its_test_and_complains(tmp_path: Path) -> None:
    lent = Place(tmp_path, Path(sys.executable).parent).lend(patience_seconds=0.1)
    place = next(lent)
    place.run("sh", "-c", "sleep 600 >/dev/null 2>&1 &")
    # The shell forks before it becomes the other program.
    eventually_blocking(lambda: list(place.processes().values()) == ["sleep 600"], 5, "its start")

    with pytest.raises(AssertionError, match=r"these processes outlived their test: .*sleep 600"):
        next(lent, None)

    eventually_blocking(lambda: not place.processes(), 5, "its end")
    assert not place.temporary.exists()
