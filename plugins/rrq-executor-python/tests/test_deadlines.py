"""One timer for the deadlines of all handlers."""

from __future__ import annotations

import asyncio
import time

from rrq_executor_python.deadlines import Deadlines


class Stopped:
    def __init__(self) -> None:
        self.at: float | None = None

    def stop(self, reason: str) -> None:
        self.at = time.monotonic()


async def test_each_is_stopped_at_its_own_time_in_whatever_order_they_came() -> None:
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    times = (0.2, 0.05, 0.1, 0.15, 0.05)
    ones = [Stopped() for _ in times]
    began = time.monotonic()
    for one, seconds in zip(ones, times, strict=True):
        deadlines.watch(one, seconds, loop)
    async with asyncio.timeout(5):
        while any(one.at is None for one in ones):  # noqa: ASYNC110 - they tell nobody
            await asyncio.sleep(0.005)
    for one, seconds in zip(ones, times, strict=True):
        assert one.at is not None
        assert one.at - began >= seconds - 0.002
    assert sorted(ones, key=lambda one: one.at or 0)[-1] is ones[0]


async def test_one_that_has_ended_is_not_stopped_and_the_next_ones_are() -> None:
    deadlines, loop = Deadlines(), asyncio.get_running_loop()
    ended, first, later = Stopped(), Stopped(), Stopped()
    deadlines.watch(ended, 0.05, loop)
    deadlines.forget(ended)
    deadlines.watch(first, 0.1, loop)
    await asyncio.sleep(0.15)
    assert (ended.at, first.at is not None) == (None, True)
    deadlines.watch(later, 0.05, loop)
    await asyncio.sleep(0.1)
    assert later.at is not None
    deadlines.forget(later)  # as every execution is in the end


def test_deadlines_go_on_in_another_event_loop() -> None:
    deadlines = Deadlines()

    async def watch(one: Stopped, seconds: float) -> None:
        deadlines.watch(one, seconds, asyncio.get_running_loop())
        await asyncio.sleep(0.1)

    left, stopped = Stopped(), Stopped()
    asyncio.run(watch(left, 60))
    asyncio.run(watch(stopped, 0.05))
    assert (left.at, stopped.at is not None) == (None, True)
