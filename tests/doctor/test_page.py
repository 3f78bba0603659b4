"""`docs/operations/health.md`: it names every kind and check, and the rights in it suffice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis.exceptions import ResponseError

from rrq.doctor.examination import examine
from rrq.doctor.kinds import KINDS
from rrq.doctor.repair import repair
from rrq.embedded import EmbeddedRedis
from rrq.health.examination import examine as check
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from tests.doctor.breaking import break_everything
from tests.security.acl import dsn_of, guarded, refusals
from tests.store.driving import Driver
from tests.support.documents import CHECKOUT, Document

PAGE = Document(CHECKOUT / "docs" / "operations" / "health.md")

[RIGHTS] = [block.text.split() for block in PAGE.blocks() if block.heading == "Rights"]


@pytest.fixture(scope="module")
def acl_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


def test_every_kind_is_explained() -> None:
    assert set(KINDS) <= set(PAGE.code())


async def test_every_check_is_explained(driver: Driver) -> None:
    report = await check(driver.store)

    assert {finding.check for finding in report.findings} <= set(PAGE.code())


async def refused(server: EmbeddedRedis, *, to_repair: bool, rights: list[str]) -> set[str]:
    """Look, and repair, where everything is broken; the commands that were refused."""
    server.flush()
    driver = Driver(RRQSettings(redis_dsn=server.dsn))
    await break_everything(driver)
    await driver.redis.rpush("rrq:dlq:nothing-else", "gone-3", "gone-4")
    await driver.store.aclose()
    user = "rrq-worker" if to_repair else "rrq-observer"
    async with guarded(server, user) as administrator:
        await administrator.execute_command("ACL", "SETUSER", user, *rights)
        store = JobStore(RRQSettings(redis_dsn=dsn_of(server, user)))
        refusal: set[str] = set()
        try:
            examination = await examine(store, patience_seconds=0)
            assert {finding.kind for finding in examination.findings} == set(KINDS)
            if to_repair:
                await repair(store, examination)
        except ResponseError as error:
            refusal = {str(error)}
        finally:
            await store.aclose()
        return {what for _, _, what in await refusals(administrator)} or refusal


async def test_an_observer_may_look_at_everything_that_is_broken(
    acl_server: EmbeddedRedis,
) -> None:
    assert await refused(acl_server, to_repair=False, rights=[]) == set()


async def test_the_rights_suffice_to_repair_everything(acl_server: EmbeddedRedis) -> None:
    assert await refused(acl_server, to_repair=True, rights=RIGHTS) == set()


@pytest.mark.parametrize("right", RIGHTS)
async def test_no_right_can_be_left_out(acl_server: EmbeddedRedis, right: str) -> None:
    rights = [one for one in RIGHTS if one != right]

    assert await refused(acl_server, to_repair=True, rights=rights) == {right.removeprefix("+")}
