"""What is wrong is found, and what is right never is, however busy the server."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from redis import Redis as SyncRedis

from rrq.doctor.examination import examine
from rrq.doctor.kinds import KINDS, Finding
from rrq.doctor.repair import repair
from rrq.doctor.view import read_views
from rrq.exc import JobAlreadyRunning
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from tests.doctor.breaking import BROKEN, NOT_MENDABLE, Break, break_everything
from tests.store.driving import Driver, new_job, verdict
from tests.support.waiting import eventually

each_break = pytest.mark.parametrize(
    ("kind", "break_it"), [pytest.param(*broken, id=name) for name, broken in BROKEN.items()]
)


async def found(store: JobStore, **options: float) -> list[Finding]:
    examination = await examine(store, **{"patience_seconds": 0.0, **options})  # type: ignore[arg-type]
    return list(examination.findings)


async def everything(driver: Driver) -> dict[str, bytes]:
    """Every key as it is stored."""
    return {key: await driver.redis.dump(key) for key in sorted(await driver.all_keys())}


# -- healthy ----------------------------------------------------------------------------


async def test_in_healthy_data_nothing_is_wrong_and_all_of_it_is_looked_at(driver: Driver) -> None:
    await driver.enqueue("holder", unique_key="k", queue="mail")
    await driver.enqueue("held", unique_key="k", queue="mail", on_conflict="defer")

    examination = await examine(driver.store)

    assert examination.findings == ()
    assert examination.is_complete
    looked_at = examination.looked_at
    assert (looked_at.jobs, looked_at.queued, looked_at.leased, looked_at.dead) == (14, 6, 2, 2)
    assert looked_at.keys == len(await driver.all_keys())


async def test_looking_changes_nothing(driver: Driver) -> None:
    await break_everything(driver)
    before = await everything(driver)

    assert await found(driver.store)

    assert await everything(driver) == before


async def test_under_load_with_plain_producers_nothing_seems_wrong(driver: Driver) -> None:
    async with Load(driver) as load:
        await eventually(lambda: load.settled > 200, what="work under way")
        for _ in range(8):
            assert await found(driver.store, patience_seconds=0.2) == []
        assert load.settled > 500

    assert await found(driver.store) == []


async def test_a_view_of_a_job_that_moves_shows_it_in_one_place(driver: Driver) -> None:
    ids = [f"mover-{number:03}" for number in range(150)]
    await driver.redis.zadd("rrq:queue:b", dict.fromkeys(ids, 1))
    is_over = threading.Event()

    def move() -> int:
        moves = 0
        with SyncRedis.from_url(driver.settings.redis_dsn) as redis:
            while not is_over.is_set():
                for places in (("rrq:queue:b", "rrq:leases"), ("rrq:leases", "rrq:queue:b")):
                    redis.eval(MOVE, 2, *places, *ids)
                    moves += 1
        return moves

    moving = asyncio.create_task(asyncio.to_thread(move))
    views = []
    # Most commands of a job's view stand between the one for its lease and the one for its queue.
    queues = [*(f"empty-{number}" for number in range(20)), "b"]
    for _ in range(15):
        read = read_views(driver.redis, driver.keys, ids, queues)
        views += [view async for view in read]
    is_over.set()

    assert await moving > 100
    assert {len(view.places) + view.is_leased for view in views} == {1}
    assert {view.is_leased for view in views} == {True, False}


MOVE = """
for _, id in ipairs(ARGV) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZADD', KEYS[2], 1, id)
end
"""


async def test_a_job_that_a_plain_producer_is_still_writing_is_given_its_time(
    driver: Driver,
) -> None:
    await driver.redis.zadd("rrq:queue:default", {"half": 1})
    parts: list[str] = []

    @contextmanager
    def progress(total: int | None, description: str) -> Iterator[Callable[[int], None]]:
        parts.append(description)
        yield lambda steps: None

    looking = asyncio.create_task(examine(driver.store, patience_seconds=1, progress=progress))
    await eventually(lambda: parts[-1:] == ["Looking again at what seems wrong"])
    await driver.redis.hset("rrq:job:half", mapping={"function_name": "f", "status": "PENDING"})

    assert (await looking).findings == ()


# -- broken -----------------------------------------------------------------------------


@each_break
async def test_what_is_broken_is_found_and_mended(
    driver: Driver, kind: str, break_it: Break
) -> None:
    key, job_id = await break_it(driver, "a")

    examination = await examine(driver.store, patience_seconds=0)

    assert [one.identity for one in examination.findings] == [(kind, key, job_id)]
    assert (examination.findings[0].remedy is None) == (kind in NOT_MENDABLE)
    mended = await repair(driver.store, examination)
    if kind in NOT_MENDABLE:
        assert mended == []
    else:
        assert mended == list(examination.findings)
        assert await found(driver.store) == []


@each_break
async def test_what_is_right_again_by_then_is_left_alone_by_the_repair(
    driver: Driver, kind: str, break_it: Break
) -> None:
    before = await everything(driver)
    await break_it(driver, "a")
    examination = await examine(driver.store, patience_seconds=0)
    await driver.redis.flushall()
    for name, value in before.items():
        await driver.redis.restore(name, 0, value)
    # The id stands for another, healthy job by now.
    await driver.enqueue("a", queue="mail", unique_key="key-a", delay_ms=1000)
    await driver.redis.set("rrq:lease:token", str(examination.highest_token))
    healthy = await everything(driver)

    assert await repair(driver.store, examination) == []

    assert await everything(driver) == healthy


def test_every_kind_is_broken_by_some_test() -> None:
    assert {kind for kind, _ in BROKEN.values()} == set(KINDS)


async def test_what_is_broken_in_every_way_at_once_is_mended(driver: Driver) -> None:
    await break_everything(driver)

    examination = await examine(driver.store, patience_seconds=0)
    await repair(driver.store, examination)

    assert {one.kind for one in examination.findings} == set(KINDS)
    assert {one.kind for one in await found(driver.store)} == NOT_MENDABLE


async def test_all_that_is_wrong_with_a_job_is_found_and_mended_at_once(driver: Driver) -> None:
    await driver.enqueue("a", delay_ms=9_000_000)
    await driver.redis.hset("rrq:job:a", mapping={"queue_name": "x", "status": "ACTIVE"})
    await driver.redis.expire("rrq:job:a", 1000)

    examination = await examine(driver.store, patience_seconds=0)

    kinds = {"misplaced", "queued-but-active", "may-expire"}
    assert {one.kind for one in examination.findings} == kinds
    assert len(await repair(driver.store, examination)) == 3
    assert await found(driver.store) == []
    assert await driver.status("a") == "PENDING"


async def test_no_more_is_looked_for_than_the_limit(driver: Driver) -> None:
    for number in range(30):
        await driver.redis.hset(f"rrq:job:lost-{number}", mapping={"status": "PENDING"})

    examination = await examine(driver.store, patience_seconds=0, limit=4)

    assert len(examination.findings) == 4
    assert not examination.is_complete


async def test_another_prefix_is_not_looked_at(driver: Driver) -> None:
    await driver.redis.zadd("rrq:queue:default", {"nothing": 1})
    other = JobStore(RRQSettings(redis_dsn=driver.settings.redis_dsn, key_prefix="[rr?]"))
    await other.redis.zadd("[rr?]:queue:default", {"own": 1})

    findings = await found(other)
    await other.aclose()

    assert [one.job_id for one in findings] == ["own"]


async def test_an_id_that_is_no_text_is_found_and_mended_as_well(driver: Driver) -> None:
    await driver.redis.zadd("rrq:queue:default", {b"\xff\x00": 1})

    examination = await examine(driver.store, patience_seconds=0)

    assert len(await repair(driver.store, examination)) == 1
    assert await driver.redis.zscore("rrq:queue:default", b"\xff\x00") is None


async def test_keys_of_the_wrong_type_do_not_hide_what_else_is_wrong(driver: Driver) -> None:
    for key in ("rrq:leases", "rrq:queues", "rrq:lease:token", "rrq:queue:default"):
        await driver.redis.delete(key)
        await driver.redis.lpush(key, "x")
    await driver.redis.set("rrq:job:odd", "x")
    await driver.redis.lpush("rrq:lock:unique:odd", "x")
    await driver.redis.zadd("rrq:queue:mail", {"odd": 1, "gone": 2})

    findings = await found(driver.store)

    wrong = {one.key for one in findings if one.kind == "wrong-type"}
    assert wrong >= {"rrq:leases", "rrq:queue:default", "rrq:job:odd", "rrq:lock:unique:odd"}
    assert ("queued-without-hash", "rrq:queue:mail", "gone") in {one.identity for one in findings}


# -- load -------------------------------------------------------------------------------


class Load:
    """Producers, workers and operators that go on until the end, in every way at once."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._tasks: list[asyncio.Task[None]] = []
        self._is_over = False
        self.settled = 0

    async def __aenter__(self) -> Load:
        parts: list[Callable[[], Awaitable[None]]] = [
            self._produce,
            self._produce_plainly,
            *[self._work] * 3,
            self._operate,
        ]
        self._tasks = [asyncio.create_task(self._forever(part)) for part in parts]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def _forever(self, part: Callable[[], Awaitable[None]]) -> None:
        while not self._is_over:
            await part()

    async def _produce(self) -> None:
        conflict = random.choice(["skip", "defer", "replace"])
        jobs = [
            new_job(
                f"again-{random.randrange(50)}" if number % 2 else None,
                queue=random.choice(["busy", "mail"]),
                unique_key=random.choice(["", "", f"k{number}"]),
                on_conflict=conflict,  # type: ignore[arg-type]
                max_retries=2,
                delay_ms=random.choice([0, 30]),
            )
            for number in range(10)
        ]
        with suppress(JobAlreadyRunning):
            await self._driver.store.jobs.enqueue(jobs)

    async def _produce_plainly(self) -> None:
        """In two steps, the wrong way round at times."""
        if await self._driver.redis.zcard("rrq:queue:busy") > 500:
            await asyncio.sleep(0.01)
        job_id = f"plain-{random.random()}"
        fields = {"function_name": "f", "status": "PENDING", "queue_name": "plain"}
        steps: list[Callable[[], Awaitable[object]]] = [
            lambda: self._driver.redis.hset(f"rrq:job:{job_id}", mapping=fields),  # type: ignore[arg-type]
            lambda: self._driver.redis.zadd("rrq:queue:plain", {job_id: 1}),
        ]
        for step in random.sample(steps, 2):
            await step()

    async def _work(self) -> None:
        claims = await self._driver.claim(queues=["busy", "mail", "plain"], room=20)
        kinds = ["complete", "complete", "retry", "fail", "release", "lost"]
        verdicts = [verdict(claim, random.choice(kinds)) for claim in claims]  # type: ignore[arg-type]
        await self._driver.store.leases.settle(verdicts)
        self.settled += len(claims)

    async def _operate(self) -> None:
        store = self._driver.store
        for queue in ("busy", "mail"):
            for job_id in (await store.queues.waiting_ids(queue, 0, 3))[:2]:
                await store.jobs.cancel(job_id)
        for job_id in (await self._driver.leased())[:1]:
            await self._driver.expire_lease(job_id)
        await store.leases.reap()
        action = random.choice(["requeue", "delete"])
        async for _ in store.dead_letters.sweep("default", action, limit=20):  # type: ignore[arg-type]
            pass
