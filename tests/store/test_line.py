"""One connection for many calls: answers find their callers, and a lost connection harms nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.store.connection import connect
from rrq.store.line import MAX_AT_ONCE, TAKEN_OVER, Line, line_of
from rrq.store.store import JobStore
from tests.faults.proxy import Proxy
from tests.support.waiting import eventually


@pytest.fixture
async def client(settings: RRQSettings) -> AsyncIterator[Redis]:
    client = connect(settings)
    yield client
    await client.aclose()


@pytest.fixture
async def line(client: Redis) -> AsyncIterator[Line]:
    line = Line(client)
    yield line
    await line.aclose()


@pytest.fixture
async def proxy(redis_server: EmbeddedRedis, settings: RRQSettings) -> AsyncIterator[Proxy]:
    async with Proxy(str(redis_server.directory / "redis.sock")) as proxy:
        yield proxy


async def _number_of_connections(redis: Redis) -> int:
    return len(await redis.client_list())


async def test_each_of_many_callers_gets_its_own_answer_over_one_connection(
    line: Line, redis: Redis
) -> None:
    others = await _number_of_connections(redis)

    answers = await asyncio.gather(*(line.call("ECHO", n) for n in range(3 * MAX_AT_ONCE)))

    assert answers == [str(n).encode() for n in range(3 * MAX_AT_ONCE)]
    assert await _number_of_connections(redis) == others + 1


async def test_commands_that_are_sent_together_are_answered_in_their_order(line: Line) -> None:
    assert await line.calls(("ECHO", "a"), ("ECHO", "b")) == [b"a", b"b"]
    with pytest.raises(ResponseError, match="unknown command"):
        await line.calls(("ECHO", "a"), ("NONSENSE",), ("ECHO", "b"))
    assert await line.call("ECHO", "c") == b"c"


async def test_an_answer_that_is_an_error_reaches_only_who_asked(line: Line) -> None:
    answers = await asyncio.gather(
        line.call("ECHO", "a"),
        line.call("NONSENSE"),
        line.call("ECHO", "b"),
        return_exceptions=True,
    )

    assert answers[::2] == [b"a", b"b"]
    assert isinstance(answers[1], ResponseError)


async def test_who_gives_up_waiting_does_not_get_in_the_way_of_others(
    line: Line, redis: Redis
) -> None:
    await line.call("PING")
    impatient = asyncio.create_task(line.call("BLPOP", "list", 0))
    patient = asyncio.create_task(line.call("ECHO", "mine"))

    async def blocks() -> bool:
        return any(one["cmd"] == "blpop" for one in await redis.client_list())

    await eventually(blocks, what="the wait in Redis")
    impatient.cancel()
    await asyncio.wait([impatient])
    await redis.rpush("list", "x")

    assert await patient == b"mine"


async def test_a_connection_that_the_server_closed_is_made_anew(line: Line, redis: Redis) -> None:
    for _ in range(3):
        own_id = await line.call("CLIENT", "ID")
        await redis.client_kill_filter(_id=own_id)
        assert await line.call("CLIENT", "ID") > own_id


async def test_a_call_under_way_is_sent_again_when_its_connection_is_cut(
    proxy: Proxy, redis: Redis
) -> None:
    client = connect(RRQSettings(redis_dsn=proxy.dsn))
    line = Line(client)
    await line.call("PING")
    calls = [asyncio.create_task(line.call("BLPOP", f"list {n}", 0)) for n in range(5)]
    await asyncio.sleep(0)
    proxy.cut()
    for n in range(5):
        await redis.rpush(f"list {n}", "x")

    assert await asyncio.gather(*calls) == [[f"list {n}".encode(), b"x"] for n in range(5)]
    assert proxy.accepted == 2
    await line.aclose()
    await client.aclose()


async def test_without_retries_a_cut_is_told_to_everybody_who_waits(
    proxy: Proxy, redis: Redis
) -> None:
    client = connect(RRQSettings(redis_dsn=proxy.dsn), retries=0)
    line = Line(client)
    await line.call("PING")
    calls = [asyncio.create_task(line.call("BLPOP", "list", 0)) for _ in range(3)]
    await asyncio.sleep(0)
    proxy.cut()

    met = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(one) for one in met] == [RedisConnectionError] * 3
    assert await line.call("ECHO", "again") == b"again"
    await line.aclose()
    await client.aclose()


async def test_a_connection_on_which_nothing_moves_is_given_up(proxy: Proxy) -> None:
    settings = RRQSettings(redis_dsn=f"{proxy.dsn}?socket_timeout=0.3")
    client = connect(settings, retries=0)
    line = Line(client)
    await line.call("PING")
    proxy.swallow()
    clock = asyncio.get_running_loop().time
    began = clock()

    with pytest.raises(RedisTimeoutError, match=r"127\.0\.0\.1"):
        await line.call("PING")

    assert 0.25 < clock() - began < 2
    proxy.restore()
    assert await line.call("PING") == b"PONG"
    await line.aclose()
    await client.aclose()


async def test_a_connection_is_forgotten_only_while_nobody_waits_for_an_answer(
    line: Line, redis: Redis
) -> None:
    own_id = await line.call("CLIENT", "ID")
    line.forget_if_idle()
    assert await line.call("CLIENT", "ID") != own_id

    own_id = await line.call("CLIENT", "ID")
    waiting = asyncio.create_task(line.call("BLPOP", "list", 5))
    await asyncio.sleep(0)
    line.forget_if_idle()
    await redis.rpush("list", "x")
    assert await waiting == [b"list", b"x"]
    assert await line.call("CLIENT", "ID") == own_id


async def test_a_closed_line_leaves_no_connection_and_opens_again(line: Line, redis: Redis) -> None:
    others = await _number_of_connections(redis)
    await line.call("PING")
    await line.aclose()

    async def all_gone() -> bool:
        return await _number_of_connections(redis) == others

    await eventually(all_gone, what="the end of the connection")
    assert await line.call("PING") == b"PONG"


async def test_a_line_that_is_closed_while_it_opens_leaves_no_connection(
    client: Redis, redis: Redis
) -> None:
    others = await _number_of_connections(redis)
    # Each closes a little later than the one before, until one is open in time.
    for turns in range(200):
        line = Line(client)
        call = asyncio.create_task(line.call("PING"))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_open = call.done()
        call.cancel()
        await asyncio.wait([call])
        await line.aclose()
        if was_open:
            break
    assert was_open

    async def all_gone() -> bool:
        return await _number_of_connections(redis) == others

    await eventually(all_gone, what="the end of the connections")


async def test_a_server_that_cannot_be_reached_is_told_to_all_who_ask() -> None:
    client = connect(RRQSettings(redis_dsn="redis://127.0.0.1:1/0"), retries=0)
    line = Line(client)

    met = await asyncio.gather(*(line.call("PING") for _ in range(3)), return_exceptions=True)

    assert [type(one) for one in met] == [RedisConnectionError] * 3
    await client.aclose()


async def test_a_connection_that_is_refused_is_tried_no_oftener_than_the_client_says(
    proxy: Proxy,
) -> None:
    client = connect(RRQSettings(redis_dsn=proxy.dsn), retries=2)
    line = Line(client)
    proxy.refuse()

    with pytest.raises(RedisConnectionError):
        await line.call("PING")

    assert 0 < proxy.accepted <= 3
    await client.aclose()


def test_a_line_may_be_used_from_one_event_loop_after_another(settings: RRQSettings) -> None:
    store = JobStore(settings)

    async def status() -> None:
        assert await store.jobs.cancel("nothing") == "missing"

    asyncio.run(status())
    asyncio.run(status())

    async def close() -> None:
        await store.aclose()

    asyncio.run(close())


@pytest.mark.parametrize("option", ["protocol=3", "health_check_interval=1"])
async def test_what_only_redis_pys_connections_do_goes_over_those(
    settings: RRQSettings, option: str
) -> None:
    store = JobStore(RRQSettings(redis_dsn=f"{settings.redis_dsn}&{option}"))

    assert line_of(store.redis) is None
    assert await store.jobs.cancel("nothing") == "missing"
    await store.workers.heartbeat("w", {}, 60)
    await store.redis.rpush(store.keys.mailbox("w"), "a", "b")
    assert await store.workers.mailbox("w").read(1) == ["a", "b"]
    await store.aclose()


async def test_a_client_of_somebody_elses_making_is_used_as_it_is(settings: RRQSettings) -> None:
    store = JobStore(settings, redis=Redis.from_url(settings.redis_dsn))

    assert line_of(store.redis) is None
    assert await store.jobs.cancel("nothing") == "missing"
    await store.aclose()


async def test_a_redis_py_that_is_made_otherwise_inside_is_used_by_its_door(
    settings: RRQSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rrq.store.line.TAKEN_OVER", (*TAKEN_OVER, "_a_name_of_tomorrow"))
    store = JobStore(settings)

    assert line_of(store.redis) is None
    assert await store.jobs.cancel("nothing") == "missing"
    await store.aclose()
