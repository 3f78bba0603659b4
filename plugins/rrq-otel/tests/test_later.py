"""What is left to the next turn of the loop is done then, all of it, and once."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from rrq_otel.later import Later


async def test_all_of_a_turn_is_done_in_the_next_one_step_by_step() -> None:
    done: list[str] = []
    later = Later[str](lambda one: done.append(f"first {one}"), lambda one: done.append(one))
    later.put("a")
    later.put("b")
    assert done == []
    await asyncio.sleep(0)
    assert done == ["first a", "first b", "a", "b"]
    later.put("c")
    await asyncio.sleep(0)
    assert done[4:] == ["first c", "c"]


async def test_who_does_not_wait_for_the_turn_finds_it_done_and_it_is_not_done_again() -> None:
    done: list[str] = []
    later = Later(done.append)
    later.put("a")
    later.do()
    await asyncio.sleep(0)
    assert done == ["a"]


def test_without_a_loop_it_is_done_at_once() -> None:
    done: list[str] = []
    Later(done.append).put("a")
    assert done == ["a"]


async def test_threads_that_do_it_at_the_same_time_do_each_thing_once() -> None:
    done: list[int] = []
    later = Later(done.append)
    with ThreadPoolExecutor(4) as threads:
        for number in range(2000):
            later.put(number)
            if number % 10 == 0:
                threads.submit(later.do)
                await asyncio.sleep(0)
    later.do()
    assert sorted(done) == list(range(2000))


async def test_what_fails_is_told_once_a_kind_and_the_rest_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []

    def only_even(number: int) -> None:
        if number % 2:
            raise ValueError(number)
        done.append(number)

    later = Later(only_even)
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        for number in range(6):
            later.put(number)
        await asyncio.sleep(0)
    assert done == [0, 2, 4]
    [complaint] = [record.getMessage() for record in caplog.records]
    assert complaint.startswith("Telemetry otel: ")
    assert complaint.endswith("only_even failed, jobs go on: ValueError(1)")
