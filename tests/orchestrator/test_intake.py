"""When a burst is over."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from rrq.orchestrator.dispatch import Dispatch
from rrq.orchestrator.intake import Intake
from rrq.orchestrator.redis_link import RedisLink
from rrq.settings import RRQSettings
from rrq.store.claim import Claim
from rrq.store.leases import ANY_ROOM, Claimed, Leases, Rooms
from tests.store.driving import WORKER, Driver


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
