"""When a burst is over, and the claim that an idle worker sends ahead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from rrq.orchestrator.dispatch import Dispatch
from rrq.orchestrator.intake import Intake
from rrq.orchestrator.mailbox import Mailbox
from rrq.orchestrator.redis_link import RedisLink
from rrq.settings import RRQSettings
from rrq.store.claim import Claim
from rrq.store.leases import ANY_ROOM, Claimed, Leases, Rooms
from tests.store.driving import WORKER, Driver
from tests.support.waiting import eventually


class OneJob:
    """Dispatch, as far as intake knows it, with one job in its hands."""

    running_count = 0

    def __init__(self, claim: Claim) -> None:
        self.held = {claim.job_id: claim}
        self.claimed_ids: list[str] = []

    def room(self) -> int:
        return 1

    def rooms(self) -> Rooms:
        return ANY_ROOM

    def look_now(self) -> None: ...

    def claimed(self, claimed: Claimed, rooms: Rooms) -> None:
        self.claimed_ids += [claim.job_id for claim in claimed.claims]


async def test_a_burst_sees_a_job_that_went_back_while_redis_was_asked_for_more(
    settings: RRQSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(settings)
    claim = await driver.running("a")
    dispatch = OneJob(claim)
    intake = Intake(
        worker_id=WORKER,
        queues=["default"],
        store=driver.store,
        link=RedisLink(settings.redis_dsn, driver.store.aclose),
        dispatch=cast("Dispatch", dispatch),
        settle=lambda _: None,
        is_behind=lambda: False,
        poll_seconds=5.0,
        burst=True,
    )
    ask = Leases.claim

    async def given_back_meanwhile(leases: Leases, *arguments: Any, **more: Any) -> Claimed:
        answer = await ask(leases, *arguments, **more)
        if dispatch.held:
            assert await driver.settle(claim, "release") == "release"
            dispatch.held.clear()
            intake.room_appeared()
        return answer

    monkeypatch.setattr(Leases, "claim", given_back_meanwhile)
    async with asyncio.timeout(10):
        await intake.run()
    assert dispatch.claimed_ids == ["a"]
    await driver.store.aclose()


class AnyJobs(OneJob):
    """Dispatch, as far as intake knows it, that holds what it was given until it is settled."""

    def __init__(self) -> None:
        self.held = {}
        self.claimed_ids = []

    def claimed(self, claimed: Claimed, rooms: Rooms) -> None:
        super().claimed(claimed, rooms)
        self.held.update({claim.job_id: claim for claim in claimed.claims})


class IdleWorker:
    """Intake and mailbox of a worker, on a real server."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.dispatch = AnyJobs()
        link = RedisLink(driver.settings.redis_dsn, driver.store.forget_idle_connections)
        mail = driver.store.workers.mailbox(WORKER)
        self.intake = Intake(
            worker_id=WORKER,
            queues=["default"],
            store=driver.store,
            link=link,
            dispatch=cast("Dispatch", self.dispatch),
            settle=lambda _: None,
            is_behind=lambda: False,
            # So long that nothing here can be its doing.
            poll_seconds=60.0,
            mail=mail,
        )
        self.mailbox = Mailbox(mail=mail, link=link, wake=self.intake.wake, cancel=lambda *_: None)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[asyncio.Task[None]]:
        tasks = [asyncio.create_task(stage.run()) for stage in (self.mailbox, self.intake)]
        yield tasks[1]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def has_claimed_ahead(self) -> bool:
        """Whether a whole claim waits in Redis behind the reading of the mailbox."""
        clients = await self.driver.redis.client_list()
        return any(one["cmd"] == "blpop" and int(one["qbuf"]) > 100 for one in clients)

    async def end(self, job_id: str) -> None:
        assert await self.driver.settle(self.dispatch.held[job_id], "complete") == "complete"
        del self.dispatch.held[job_id]
        self.intake.room_appeared()


@pytest.fixture
async def idle(settings: RRQSettings) -> AsyncIterator[IdleWorker]:
    driver = Driver(settings)
    yield IdleWorker(driver)
    await driver.store.aclose()


async def test_an_idle_worker_gets_a_job_with_the_answer_to_a_claim_that_it_sent_ahead(
    idle: IdleWorker,
) -> None:
    async with idle.at_work():
        for job_id in ("a", "b"):
            await eventually(idle.has_claimed_ahead, what="the claim")
            await idle.driver.enqueue(job_id)
            # Nothing was sent since: the step that wakes it is all that Redis needs.
            assert await idle.driver.redis.zscore(idle.driver.keys.leases, job_id)
            await eventually(lambda job_id=job_id: job_id in idle.dispatch.held, what="the job")
            assert not await idle.has_claimed_ahead()
            await idle.end(job_id)


async def test_a_claim_that_was_sent_ahead_is_carried_out_when_a_deferred_job_is_due(
    idle: IdleWorker,
) -> None:
    async with idle.at_work():
        await eventually(idle.has_claimed_ahead, what="the claim")
        await idle.driver.enqueue("a", delay_ms=400)
        await eventually(lambda: "a" in idle.dispatch.held, 2, what="the job")


async def test_a_worker_that_has_claimed_ahead_stops_at_once(idle: IdleWorker) -> None:
    async with idle.at_work() as claiming:
        await eventually(idle.has_claimed_ahead, what="the claim")
        idle.intake.stop()
        async with asyncio.timeout(1.5):
            await claiming
        assert not await idle.has_claimed_ahead()


async def test_a_claim_that_was_sent_ahead_and_lost_is_sent_again(idle: IdleWorker) -> None:
    async with idle.at_work():
        for job_id in ("a", "b"):
            await eventually(idle.has_claimed_ahead, what="the claim")
            clients = await idle.driver.redis.client_list()
            [reading] = [one["id"] for one in clients if one["cmd"] == "blpop"]
            await idle.driver.redis.client_kill_filter(_id=reading)
            await idle.driver.enqueue(job_id)
            await eventually(lambda job_id=job_id: job_id in idle.dispatch.held, what="the job")
            await idle.end(job_id)


@pytest.mark.parametrize(("jobs", "start_first"), [(1, True), (20, False)])
async def test_a_few_jobs_go_to_their_executors_before_the_next_claim_is_sent_and_many_do_not(
    jobs: int, start_first: bool, settings: RRQSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(settings)
    for number in range(jobs):
        await driver.enqueue(str(number))
    steps: list[str] = []

    class Starting(AnyJobs):
        """Starts jobs in the next turn of the loop, and has their requests written in that after
        it, as tasks and pipes do."""

        def room(self) -> int:
            return jobs + 1

        def claimed(self, claimed: Claimed, rooms: Rooms) -> None:
            super().claimed(claimed, rooms)
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, steps.append, "written")

    intake = Intake(
        worker_id=WORKER,
        queues=["default"],
        store=driver.store,
        link=RedisLink(settings.redis_dsn, driver.store.aclose),
        dispatch=cast("Dispatch", Starting()),
        settle=lambda _: None,
        is_behind=lambda: False,
        poll_seconds=5.0,
    )
    ask = Leases.claim

    async def noted(leases: Leases, *arguments: Any, **more: Any) -> Claimed:
        steps.append("claim")
        return await ask(leases, *arguments, **more)

    monkeypatch.setattr(Leases, "claim", noted)
    claiming = asyncio.create_task(intake.run())
    await eventually(lambda: len(steps) >= 3, what="the second claim")
    expected = ["claim", "written", "claim"] if start_first else ["claim", "claim", "written"]
    assert steps[:3] == expected
    intake.stop()
    await claiming
    await driver.store.aclose()
