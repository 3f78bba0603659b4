"""The rules of access in the document suffice, and none of their commands can be left out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import pytest

from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from tests.security import scenarios
from tests.security.acl import dsn_of, guarded, refusals, rules_of

Scenario = Callable[[str, str], Awaitable[None]]


@pytest.fixture(scope="module")
def acl_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(options=["--acllog-max-len", "1000"]) as server:
        yield server


@pytest.fixture
def empty_server(acl_server: EmbeddedRedis) -> EmbeddedRedis:
    acl_server.flush()
    return acl_server


async def produced(own_dsn: str, administrators_dsn: str) -> None:
    store = JobStore(RRQSettings(redis_dsn=administrators_dsn))
    try:
        async with RRQClient(RRQSettings(redis_dsn=own_dsn)) as client:
            await scenarios.produce(client, store)
    finally:
        await store.aclose()


async def worked(own_dsn: str, administrators_dsn: str) -> None:
    store = JobStore(RRQSettings(redis_dsn=own_dsn, max_lost=1))
    try:
        async with RRQClient(RRQSettings(redis_dsn=administrators_dsn)) as client:
            await scenarios.work(store, client)
    finally:
        await store.aclose()


def in_another_database(dsn: str) -> str:
    return dsn.replace("db=0", "db=1")


@pytest.mark.parametrize(("user", "scenario"), [("rrq-producer", produced), ("rrq-worker", worked)])
async def test_the_rules_suffice_for_all_that_the_role_does(
    empty_server: EmbeddedRedis, user: str, scenario: Scenario
) -> None:
    async with guarded(empty_server, user) as administrator:
        own_dsn = in_another_database(dsn_of(empty_server, user))

        await scenario(own_dsn, in_another_database(empty_server.dsn))

        assert await refusals(administrator) == []


@pytest.mark.parametrize(("user", "scenario"), [("rrq-producer", produced), ("rrq-worker", worked)])
async def test_no_command_of_the_rules_can_be_left_out(
    empty_server: EmbeddedRedis, user: str, scenario: Scenario
) -> None:
    needless = []
    for rule in [rule for rule in rules_of(user) if rule.startswith("+")]:
        command = rule[1:]
        async with guarded(empty_server, user) as administrator:
            await administrator.flushall()
            await administrator.script_flush()
            await administrator.execute_command("ACL", "SETUSER", user, f"-{command}")
            with contextlib.suppress(Exception):
                async with asyncio.timeout(2):
                    await scenario(
                        in_another_database(dsn_of(empty_server, user)),
                        in_another_database(empty_server.dsn),
                    )
            if not any(object_ == command for _, _, object_ in await refusals(administrator)):
                needless.append(command)

    assert needless == []
