"""Commands are put on the wire as redis-py would, only faster."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Connection, Redis

from rrq.settings import RRQSettings
from rrq.store.connection import connect
from rrq.store.packing import with_fast_packing


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "key", "value"),
        ("SET", b"key\x00", "größe \U0001f600"),
        ("ZADD", "key", 1732512345678.123, "a", -0.5, "b", 1e300, "c", 0.1, "d"),
        ("EVALSHA", "abc", 1, "rrq:", 2**63, -7, ""),
        ("CLIENT SETINFO", "LIB-NAME", "rrq"),
        ("SET", "not utf-8: \udcff", "x"),
        ("SET", "key", memoryview(b"bytes")),
        ("SET", "large", b"x" * 100_000),
    ],
)
def test_a_command_is_packed_as_redis_py_packs_it(command: tuple[Any, ...]) -> None:
    fast = with_fast_packing(Connection)(encoding_errors="surrogateescape")
    plain = Connection(encoding_errors="surrogateescape")
    assert b"".join(fast.pack_command(*command)) == b"".join(
        map(bytes, plain.pack_command(*command))
    )


async def test_the_clients_of_a_store_pack_with_hiredis(
    settings: RRQSettings, redis: Redis
) -> None:
    client = connect(settings)
    await client.set("key", "value")
    connection = await client.connection_pool.get_connection()
    assert type(connection).__name__ == "FastPackingConnection"
    await client.connection_pool.release(connection)
    await client.aclose()
    assert await redis.get("key") == b"value"
