"""Users and passwords of any characters work, and no secret is ever shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from redis.asyncio import Redis

from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from tests.security.workplace import configure, rrq, start_worker
from tests.support.places import Place
from tests.support.waiting import eventually

USER = "Büro:1@team/é"
SECRET = "S3CRET"
PASSWORD = f"p@:/#%?&=+ ß漢{SECRET}%40"


@pytest.fixture(scope="module")
def odd_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
async def administrator(odd_server: EmbeddedRedis) -> Redis:
    odd_server.flush()
    client = Redis.from_url(odd_server.dsn)
    await client.execute_command(
        "ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", "~*", "+@all"
    )
    return client


def as_credentials(server: EmbeddedRedis, password: str = PASSWORD) -> str:
    credentials = f"{quote(USER, safe='')}:{quote(password, safe='')}"
    return server.dsn.replace("unix://", f"unix://{credentials}@")


def as_options(server: EmbeddedRedis) -> str:
    return f"{server.dsn}&username={quote(USER, safe='')}&password={quote(PASSWORD, safe='')}"


@pytest.mark.parametrize("written", [as_credentials, as_options])
async def test_client_worker_and_command_log_in_with_any_characters(
    odd_server: EmbeddedRedis, administrator: Redis, place: Place, written: object
) -> None:
    dsn = written(odd_server)  # type: ignore[operator]
    configure(place)

    worker = await asyncio.to_thread(start_worker, place, dsn)
    async with RRQClient(RRQSettings(redis_dsn=dsn)) as client:
        job = await client.enqueue("echo", "odd")
        assert job is not None
        assert await client.wait(job, timeout=20) == "odd"
    checked = await asyncio.to_thread(rrq, place, dsn, "check")
    users = {fields["user"] for fields in await administrator.client_list()}
    ended = await asyncio.to_thread(worker.stop)
    await administrator.aclose()

    assert ended.code == 0
    assert "rrq_worker_" in checked.stdout
    assert USER in users
    assert SECRET not in ended.stderr + checked.stdout + checked.stderr


async def test_a_wrong_password_is_told_in_one_line_without_it(
    odd_server: EmbeddedRedis, administrator: Redis, place: Place
) -> None:
    await administrator.aclose()
    configure(place)
    dsn = as_credentials(odd_server, f"wrong{SECRET}")

    for words in (("worker", "run"), ("check",), ("queue", "list"), ("job", "show", "x")):
        ended = await asyncio.to_thread(rrq, place, dsn, *words, code=1)
        [line] = [line for line in ended.stderr.splitlines() if "error:" in line]
        assert "refuses: invalid username-password pair" in line
        assert SECRET not in ended.stderr + ended.stdout


async def test_a_worker_shows_no_secret_in_any_log_at_any_level(
    odd_server: EmbeddedRedis, administrator: Redis, place: Place
) -> None:
    configure(place, f'env = {{ API_TOKEN = "token-{SECRET}" }}\n')
    said = ""
    for log_format in ("console", "json"):
        worker = await asyncio.to_thread(
            start_worker,
            place,
            as_credentials(odd_server),
            "--log-level",
            "debug",
            "--log-format",
            log_format,
        )
        async with RRQClient(RRQSettings(redis_dsn=as_credentials(odd_server))) as client:
            job = await client.enqueue("fail", "no luck", _max_retries=1)
            assert job is not None
            await eventually(lambda: administrator.llen("rrq:dlq:default"))
        # The worker meets a server that no longer knows it, and one that does again.
        await administrator.execute_command("ACL", "SETUSER", USER, "off")
        await administrator.execute_command("CLIENT", "KILL", "USER", USER)
        await asyncio.to_thread(worker.said, "cannot be used")
        await administrator.execute_command("ACL", "SETUSER", USER, "on")
        await asyncio.to_thread(worker.said, "Redis is back")
        said += (await asyncio.to_thread(worker.stop)).stderr
        await administrator.delete("rrq:dlq:default")
    kept = [await _everything_in(administrator, key) for key in await administrator.keys("*")]
    await administrator.aclose()

    assert "Worker rrq_worker_" in said
    assert SECRET not in said
    assert kept
    assert SECRET.encode() not in b"".join(kept)


async def _everything_in(redis: Redis, key: bytes) -> bytes:
    return bytes(await redis.dump(key) or b"") + key


SECRETS = f"""
[rrq]
redis_dsn = "redis://user:{SECRET}-dsn@localhost:1/0"

[rrq.executors.python]
type = "stdio"
cmd = ["python", "--database", "postgresql://app:{SECRET}-cmd@db/app"]
env = {{ DATABASE_PASSWORD = "{SECRET}-env", DATABASE_URL = "mysql://a:{SECRET}-url@db" }}

[[rrq.cron_jobs]]
function_name = "echo"
schedule = "* * * * *"
kwargs = {{ api_key = "{SECRET}-cron" }}

[rrq.plugins.nowhere]
token = "{SECRET}-plugin"
"""


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--config-only"),
        ("check", "--config-only", "--json"),
        ("check",),
        ("worker", "run"),
        ("worker", "run", "--embedded-redis"),
        ("queue", "list"),
        ("dlq", "list"),
        ("job", "show", "x"),
        ("plugins", "list"),
        ("plugins", "show", "stdio"),
        ("plugins", "show", "stdio", "--json"),
        ("--version",),
    ],
)
def test_a_command_shows_no_secret_of_its_configuration(
    place: Place, words: tuple[str, ...]
) -> None:
    place.write("rrq.toml", SECRETS)

    ended = place.run("rrq", *words, code=None)

    assert ended.stdout or ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "dsn",
    [
        f"redis://user:{SECRET}@local host/0",
        f"redis://user:{SECRET}#@localhost/0",
        f"redis://user:a/{SECRET}@localhost/0",
        f"redis://{SECRET}@localhost:1/0",
        f"redis://localhost:1/0?password={SECRET}",
        f"redis://localhost:1/0?pasword={SECRET}",
        f"redis://localhost:1/0?pasword=x@{SECRET}",
        f"redis://user:x@localhost:1/0?db=1&pasword={SECRET}",
        f"redis://localhost:{SECRET}/0",
        f"redis:/user:{SECRET}@localhost/0",
        f"rediss://user:{SECRET}@localhost:1/0?ssl_password={SECRET}",
        f"redis://user:{SECRET}@nowhere.invalid/0",
        f"unix://user:{SECRET}@/nowhere/redis.sock",
    ],
)
@pytest.mark.parametrize("given", ["option", "variable", "file"])
def test_a_dsn_that_cannot_be_used_is_shown_without_its_password(
    place: Place, dsn: str, given: str
) -> None:
    options = ("--redis-dsn", dsn) if given == "option" else ()
    variables = {"RRQ_REDIS_DSN": dsn} if given == "variable" else {}
    if given == "file":
        place.write("rrq.toml", f'[rrq]\nredis_dsn = "{dsn}"\n')

    ended = place.run("rrq", "queue", "list", *options, code=None, **variables)

    assert ended.code in (1, 2)
    assert 1 <= len(ended.stderr.splitlines()) <= 2
    assert SECRET not in ended.stdout + ended.stderr


def test_a_file_that_is_no_toml_is_refused_without_its_text(place: Place) -> None:
    place.write("rrq.toml", f'[rrq]\nredis_dsn = "redis://user:{SECRET}@localhost\nx = {SECRET}')

    ended = place.run("rrq", "check", code=2)

    assert "rrq.toml" in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr


def test_a_secret_that_stands_in_the_environment_of_a_worker_reaches_its_executors(
    place: Place, redis_dsn: str
) -> None:
    """Why the document says that an executor may do what its worker may."""
    place.write(
        "executor.py",
        """
        import os, sys
        print("I was given", os.environ["RRQ_REDIS_DSN"], file=sys.stderr, flush=True)
        sys.stdin.read()
        """,
    )
    place.write("rrq.toml", '[rrq.executors.python]\ncmd = ["python", "executor.py"]\npool_size=1')

    worker = start_worker(place, redis_dsn)

    assert Path(redis_dsn.removeprefix("unix://").partition("?")[0]).exists()
    worker.said(f"I was given {redis_dsn}")
    worker.stop()
