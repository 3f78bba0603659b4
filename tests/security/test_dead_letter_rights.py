"""The rights in `docs/operations/dead-letters.md` suffice, and none of them can be left out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.store.dead_letter import EVERYTHING, Wanted
from rrq.store.store import JobStore
from tests.security.acl import dsn_of, guarded, refusals
from tests.support.dead_letters import bury
from tests.support.documents import CHECKOUT, Document

PAGE = Document(CHECKOUT / "docs" / "operations" / "dead-letters.md")

[RIGHTS] = [block.text.split() for block in PAGE.blocks() if block.heading == "Rights"]


@pytest.fixture(scope="module")
def acl_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


async def swept(server: EmbeddedRedis, *rights: str) -> set[str]:
    """Requeue and delete in every way, as a worker with these rights; the commands that were
    refused."""
    server.flush()
    with Redis.from_url(server.dsn) as client:
        for number in range(40):
            fields = {"function_name": "odd" if number % 2 else "even", "job_unique_key": "k"}
            bury(client, [f"job-{number}"], **fields)
        client.lpush("rrq:dlq:default", "expired")
    async with guarded(server, "rrq-worker") as administrator:
        await administrator.execute_command("ACL", "SETUSER", "rrq-worker", *rights)
        store = JobStore(RRQSettings(redis_dsn=dsn_of(server, "rrq-worker")))
        try:
            await store.leases.claim("rrq_worker_parked", ["mail"], 1, park_ms=60_000)
            steps = store.dead_letters.sweep(
                "default", "requeue", Wanted(function="odd"), limit=15, at_once=9
            )
            async for _ in steps:
                # Somebody else takes away what this one has passed over.
                await administrator.rpop("rrq:dlq:default")
            for action in ("delete", "requeue"):
                async for _ in store.dead_letters.sweep("default", action, EVERYTHING, limit=3):
                    pass
        except Exception:
            refused = {what for _, _, what in await refusals(administrator)}
            if not refused:
                raise
            return refused
        finally:
            await store.aclose()
        return {what for _, _, what in await refusals(administrator)}


async def test_the_rights_suffice_to_requeue_and_delete(acl_server: EmbeddedRedis) -> None:
    assert await swept(acl_server, *RIGHTS) == set()


@pytest.mark.parametrize("right", RIGHTS)
async def test_no_right_can_be_left_out(acl_server: EmbeddedRedis, right: str) -> None:
    rights = [one for one in RIGHTS if one != right]

    assert await swept(acl_server, *rights) == {right.removeprefix("+")}
