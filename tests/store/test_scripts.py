"""Calling the steps: a server that forgot them, times as Lua writes them, what a step may do."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import rrq.store
from rrq.embedded import EmbeddedRedis
from rrq.job_request import JobRequest, new_job
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from tests.store.driving import Driver

LUA = Path(rrq.store.__file__).parent / "lua"


async def test_a_server_that_forgot_the_scripts_learns_them_again(driver: Driver) -> None:
    for _ in range(2):
        await driver.redis.script_flush()
        claim = await driver.running("a")
        await driver.redis.script_flush()
        assert await driver.store.leases.renew([("a", claim.token)]) == []
        await driver.redis.script_flush()
        assert await driver.settle(claim, "complete") == "complete"
        await driver.redis.script_flush()
        assert await driver.store.jobs.cancel("a") == "COMPLETED"


def test_no_step_scans_the_keys() -> None:
    for file in LUA.glob("*.lua"):
        assert not re.search(r"'(KEYS|SCAN)'", file.read_text(), re.IGNORECASE), file.name


def test_every_step_says_what_it_takes_returns_and_keeps_true() -> None:
    for file in LUA.glob("*.lua"):
        if file.name.startswith("_"):
            continue
        text = file.read_text()
        for part in ("-- KEYS[1]", "-- ARGV ", "-- Returns "):
            assert part in text, f"{file.name}: {part}"


_moments = st.datetimes(
    datetime(1970, 1, 1), datetime(2200, 12, 31, 23, 59, 59, 999999), timezones=st.just(UTC)
)


@hypothesis_settings(max_examples=100, deadline=None)
@example([datetime(2110, 1, 1, 0, 0, 0, 2053, tzinfo=UTC)])
@example([datetime(2000, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)])
@example([datetime(2100, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)])
@example([datetime(2100, 3, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)])
@example([datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)])
@given(st.lists(_moments, min_size=1, max_size=40))
def test_lua_writes_a_time_as_python_does(
    redis_server: EmbeddedRedis, moments: list[datetime]
) -> None:
    settings = RRQSettings(redis_dsn=redis_server.dsn)

    async def written() -> list[tuple[str, datetime | None, float]]:
        store = JobStore(settings)
        requests = [JobRequest("f", job_id=f"t{i}", defer_until=at) for i, at in enumerate(moments)]
        answers = await store.jobs.enqueue(
            [new_job(request, f"t{i}", settings, store.keys) for i, request in enumerate(requests)]
        )
        found = []
        for answer in answers:
            fields = await store.jobs.get_fields(answer.job_id)
            score = await store.redis.zscore(store.keys.queue("default"), answer.job_id)
            assert score is not None
            found.append((fields["next_scheduled_run_time"], answer.due_at, score))
        await store.aclose()
        return found

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for moment, (text, due_at, score) in zip(moments, asyncio.run(written()), strict=True):
        assert text == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        assert due_at == moment
        assert score == (moment - epoch) // timedelta(microseconds=1) / 1000
