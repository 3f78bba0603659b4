"""The rules of access in `docs/operations/security.md`, as a reader would paste them."""

from __future__ import annotations

import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from rrq.embedded import EmbeddedRedis

DOCUMENT = Path(__file__).parents[2] / "docs/operations/security.md"

PASSWORD = "PASSWORD"


def rules_of(user: str) -> list[str]:
    """The rules that the document gives this user, with its placeholder for the password."""
    blocks = re.findall(r"```\n(ACL SETUSER .*?)```", DOCUMENT.read_text(), re.DOTALL)
    commands = [shlex.split(block.replace("\n", " ")) for block in blocks]
    [rules] = [words[3:] for words in commands if words[2] == user]
    return rules


def dsn_of(server: EmbeddedRedis, user: str, password: str = PASSWORD) -> str:
    """The address of a server for one of its users; both must be percent-encoded already."""
    return server.dsn.replace("unix://", f"unix://{user}:{password}@")


@asynccontextmanager
async def guarded(server: EmbeddedRedis, *users: str) -> AsyncIterator[Redis]:
    """Its administrator, on a server that has these users of the document."""
    administrator = Redis.from_url(server.dsn)
    for user in users:
        await administrator.execute_command("ACL", "SETUSER", user, *rules_of(user))
    try:
        yield administrator
    finally:
        for user in users:
            await administrator.execute_command("ACL", "DELUSER", user)
        await administrator.execute_command("ACL", "LOG", "RESET")
        await administrator.aclose()


async def refusals(administrator: Redis) -> list[tuple[str, str, str]]:
    """What the server refused since it was last asked: user, reason and command or key."""
    entries = await administrator.execute_command("ACL", "LOG")
    await administrator.execute_command("ACL", "LOG", "RESET")
    return sorted({(_of(e, "username"), _of(e, "reason"), _of(e, "object")) for e in entries})


def _of(entry: object, name: str) -> str:
    fields = (
        entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))  # type: ignore[index]
    )
    value = fields.get(name, fields.get(name.encode()))
    return value.decode() if isinstance(value, bytes) else str(value)
