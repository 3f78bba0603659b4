"""No backend holds anything up: what it takes too long for is dropped, and it is passed over."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest

from rrq import telemetry
from rrq.settings import RRQSettings
from rrq.telemetry import Attempt, FanOut, StartedJob, Telemetry, fan_out, relay
from rrq.telemetry.fan_out import Member
from rrq.telemetry.flushing import flushed
from rrq.telemetry.relay import Relay
from tests.support.waiting import eventually, eventually_blocking
from tests.telemetry.backends import REQUEST, Recording
from tests.telemetry.scripted import scripted


@pytest.fixture(autouse=True)
def nothing_active() -> Iterator[None]:
    """No backend is active in this process, before and after."""
    telemetry.disable()
    yield
    telemetry.disable()


class Hanging(Telemetry):
    """Hangs in its thread, until it is let go."""

    name = "hanging"

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.attempts = 0

    def attempt(self, attempt: Attempt) -> None:
        self.let_go.wait()
        self.attempts += 1

    def flush(self, timeout_seconds: float) -> None:
        self.let_go.wait()


class Slow(Recording):
    """Takes as long as it is told for what is called in an event loop."""

    seconds = 0.0

    def carry(self, job: StartedJob) -> Mapping[str, str]:
        time.sleep(self.seconds)
        return super().carry(job)


async def test_jobs_do_not_notice_a_backend_that_hangs_and_the_others_are_told(
    settings: RRQSettings,
) -> None:
    hanging, sound = Hanging(), Recording("x-sound")
    telemetry.configure(hanging)
    telemetry.configure(sound)
    try:
        async with scripted(settings) as (_, client, _requests):
            jobs = [await client.enqueue("work") for _ in range(20)]
            for job in jobs:
                assert job is not None
                assert await client.wait(job, timeout=5) == 1
            await eventually(lambda: len(sound.attempts) == 20)
            began = time.monotonic()
        # The stop waits for a backend, but not for one that hangs.
        assert time.monotonic() - began < 2 * 2.0
        assert hanging.attempts == 0
    finally:
        hanging.let_go.set()


class AtOnce(Recording):
    """Records in the worker's event loop, and notes which thread that is."""

    records_at_once = True

    def __init__(self, header: str) -> None:
        super().__init__(header)
        self.threads: set[int] = set()
        self.seconds = 0.0
        self.is_broken = False

    def attempt(self, attempt: Attempt) -> None:
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        if self.is_broken:
            raise ValueError("no room")
        super().attempt(attempt)


async def test_a_backend_that_records_at_once_is_called_in_the_loop_and_may_fail(
    settings: RRQSettings, caplog: pytest.LogCaptureFixture
) -> None:
    quick, sound = AtOnce("x-quick"), Recording("x-sound")
    telemetry.configure(quick)
    telemetry.configure(sound)
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        async with scripted(settings) as (_, client, _requests):
            for number in range(3):
                quick.is_broken = number == 1
                job = await client.enqueue("work")
                assert job is not None
                assert await client.wait(job, timeout=5) == 1
                await eventually(lambda wanted=number + 1: len(sound.attempts) == wanted)
    assert quick.threads == {threading.get_ident()}
    assert [attempt.carried for attempt in quick.attempts] == [
        {"x-quick": sound.attempts[number].carried["x-sound"]} for number in (0, 2)
    ]
    [warning] = [one.getMessage() for one in caplog.records]
    assert warning.startswith("Telemetry x-quick: AtOnce.attempt failed, jobs go on: ValueError")


async def test_a_backend_that_is_slow_to_record_at_once_is_passed_over(
    settings: RRQSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fan_out, "SLOW_SECONDS", 0.05)
    slow, sound = AtOnce("x-slow"), Recording("x-sound")
    slow.seconds = 0.1
    telemetry.configure(slow)
    telemetry.configure(sound)
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        async with scripted(settings) as (_, client, _requests):
            for _ in range(3):
                job = await client.enqueue("work")
                assert job is not None
                await client.wait(job, timeout=5)
            await eventually(lambda: len(sound.attempts) == 3)
    assert len(slow.attempts) == 1
    [warning] = [one.getMessage() for one in caplog.records if "passed over" in one.getMessage()]
    assert warning.startswith("Telemetry x-slow took 0.1 s for AtOnce.attempt")


async def test_what_a_backend_cannot_keep_up_with_is_dropped_counted_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(relay, "MOST_WAITING", 10)
    hanging = Hanging()
    way = Relay(Member(hanging))
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        for _ in range(50):
            way.call(hanging.attempt, None)
    # One may be in the thread's hands by now.
    assert way.dropped in (39, 40)
    assert [record.getMessage() for record in caplog.records] == [
        "Telemetry hanging does not keep up: 10 calls wait, further ones are dropped"
    ]
    hanging.let_go.set()
    way.end(1.0)
    eventually_blocking(way.is_done)
    assert hanging.attempts == 50 - way.dropped


async def test_a_backend_that_is_slow_in_the_event_loop_is_passed_over_for_a_minute(
    settings: RRQSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fan_out, "SLOW_SECONDS", 0.05)
    slow, sound = Slow("x-slow"), Recording("x-sound")
    slow.seconds = 0.1
    telemetry.configure(slow)
    telemetry.configure(sound)
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        async with scripted(settings) as (_, client, _requests):
            for _ in range(3):
                job = await client.enqueue("work")
                assert job is not None
                await client.wait(job, timeout=5)
            await eventually(lambda: len(sound.attempts) == len(slow.attempts) == 3)
    assert [bool(attempt.carried) for attempt in slow.attempts] == [True, False, False]
    assert all(attempt.carried for attempt in sound.attempts)
    [warning] = [one.getMessage() for one in caplog.records if "passed over" in one.getMessage()]
    assert warning.startswith("Telemetry x-slow took 0.1 s for Slow.carry and is passed over for")


def test_a_backend_that_was_passed_over_comes_back_after_its_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(fan_out.time, "monotonic", lambda: clock[0])
    backend = Recording("x")
    member = Member(backend)

    def hang() -> None:
        clock[0] += 10

    member.quick(hang)
    assert member.is_passed_over
    clock[0] += 59
    assert member.is_passed_over
    clock[0] += 2
    assert not member.is_passed_over


async def test_flushing_waits_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    hanging, sound = Hanging(), Recording("x")
    with caplog.at_level(logging.WARNING, "rrq.telemetry"):
        async with asyncio.timeout(1):
            await flushed(FanOut([hanging, sound]), 0.1)
    hanging.let_go.set()
    assert sound.told == ["flush"]
    assert [record.getMessage() for record in caplog.records] == [
        "Telemetry hanging could not send everything within 0.1 s"
    ]


def test_an_idle_backend_makes_a_producer_do_nothing(settings: RRQSettings) -> None:
    class Idle(Recording):
        is_idle = True

    telemetry.configure(Idle("x"))
    assert telemetry.producer_telemetry(settings) is None
    telemetry.configure(Recording("y"))
    active = telemetry.producer_telemetry(settings)
    assert active is not None
    with active.execution(REQUEST):
        pass


def test_a_backend_is_asked_whether_it_is_idle_until_it_is_not(settings: RRQSettings) -> None:
    class Waking(Recording):
        answers: ClassVar[list[bool]] = [True, True, False]

        @property
        def is_idle(self) -> bool:
            return self.answers.pop(0)

    telemetry.configure(Waking("x"))
    found = [telemetry.producer_telemetry(settings) is not None for _ in range(5)]
    assert found == [False, False, True, True, True]
