"""What else `docs/operations/security.md` says, and shows to paste, is so."""

from __future__ import annotations

import re
import tomllib

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from rrq.client import RRQClient
from rrq.config import load_settings
from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from tests.security.acl import DOCUMENT, dsn_of, guarded, refusals, rules_of
from tests.security.scenarios import produce

TOML_BLOCKS = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


def commands_of(user: str) -> set[str]:
    return {rule for rule in rules_of(user) if rule.startswith("+")}


@pytest.mark.parametrize("block", TOML_BLOCKS)
def test_a_dsn_with_tls_is_accepted_as_it_is_shown(block: str) -> None:
    dsn = tomllib.loads(block)["rrq"]["redis_dsn"]

    assert load_settings(redis_dsn=dsn).settings.redis_dsn == dsn


def test_two_more_commands_make_a_producer_of_a_worker() -> None:
    assert commands_of("rrq-producer") - commands_of("rrq-worker") == {"+hgetall", "+lrem"}


async def test_with_the_default_user_off_nobody_comes_in_without_a_password() -> None:
    with EmbeddedRedis() as server:
        async with guarded(server, "rrq-observer") as administrator:
            await administrator.execute_command("ACL", "SETUSER", "default", "off")
            for dsn in (server.dsn, dsn_of(server, "rrq-observer", "guessed")):
                async with Redis.from_url(dsn) as stranger:
                    with pytest.raises((AuthenticationError, RedisConnectionError)):
                        await stranger.ping()
            async with Redis.from_url(dsn_of(server, "rrq-observer")) as observer:
                assert await observer.ping()
            await administrator.execute_command("ACL", "SETUSER", "default", "on")


async def test_nothing_depends_on_client_setinfo() -> None:
    with EmbeddedRedis() as server:
        async with guarded(server, "rrq-producer") as administrator:
            await administrator.execute_command("ACL", "SETUSER", "rrq-producer", "-client|setinfo")
            store = JobStore(RRQSettings(redis_dsn=server.dsn))
            settings = RRQSettings(redis_dsn=dsn_of(server, "rrq-producer"))
            async with RRQClient(settings) as client:
                await produce(client, store)
            await store.aclose()

            assert {what for _, _, what in await refusals(administrator)} <= {"client|setinfo"}
