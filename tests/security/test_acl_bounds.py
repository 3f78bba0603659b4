"""What the rules of access prevent, and what they cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, NoPermissionError, ResponseError

from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.settings import RRQSettings
from tests.security.acl import dsn_of, guarded, refusals, rules_of
from tests.security.scenarios import claimed
from tests.security.workplace import configure, rrq, start_worker
from tests.support.places import Place
from tests.support.waiting import eventually

ROLES = ("rrq-producer", "rrq-worker", "rrq-observer")

READING_COMMANDS = [
    ("check",),
    ("check", "--json"),
    ("doctor",),
    ("queue", "list", "--show-empty"),
    ("queue", "inspect", "default"),
    ("queue", "stats"),
    ("queue", "stats", "--functions", "--json"),
    ("dlq", "list"),
    ("dlq", "list", "--function", "fail", "--since", "1h"),
    ("dlq", "stats"),
    ("dlq", "inspect", "seen"),
    ("dlq", "requeue", "--all", "--dry-run"),
    ("job", "show", "seen"),
    ("job", "show", "seen", "--raw"),
    ("job", "trace", "seen"),
    ("job", "list"),
    ("job", "list", "--status", "failed", "--since", "1h"),
    ("job", "active"),
    ("job", "active", "--worker", "nobody", "--json"),
    ("cron", "list"),
    ("top", "--once"),
]


@pytest.fixture(scope="module")
def acl_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(options=["--busy-reply-threshold", "50"]) as server:
        yield server


@pytest.fixture
async def administrator(acl_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    acl_server.flush()
    async with guarded(acl_server, *ROLES) as administrator:
        yield administrator


@pytest.fixture
async def producer(acl_server: EmbeddedRedis, administrator: Redis) -> AsyncIterator[Redis]:
    client = Redis.from_url(dsn_of(acl_server, "rrq-producer"))
    yield client
    await client.aclose()


async def test_a_worker_and_the_commands_that_only_read_run_under_their_rules(
    acl_server: EmbeddedRedis, administrator: Redis, place: Place
) -> None:
    configure(place, '[[rrq.cron_jobs]]\nfunction_name = "again"\nschedule = "* * * * *"\n')
    # For the plugins that measure its queues.
    await administrator.execute_command("ACL", "SETUSER", "rrq-worker", "+zcount")
    worker = await asyncio.to_thread(start_worker, place, dsn_of(acl_server, "rrq-worker"))
    observer = dsn_of(acl_server, "rrq-observer")
    producer = RRQSettings(redis_dsn=dsn_of(acl_server, "rrq-producer"))

    async with RRQClient(producer) as client:
        assert await client.wait((await client.enqueue("echo", "x")).id, timeout=20) == "x"  # type: ignore[union-attr]
        assert await client.wait((await client.enqueue("again")).id, timeout=20) == "done"  # type: ignore[union-attr]
        await client.enqueue("fail", "no luck", _job_id="seen", _max_retries=1)
        await eventually(lambda: administrator.llen("rrq:dlq:default"))
        sleeper = await client.enqueue("sleep")
        assert sleeper is not None
        await eventually(lambda: administrator.hget(f"rrq:job:{sleeper.id}", "progress"))
        for words in READING_COMMANDS:
            await asyncio.to_thread(rrq, place, observer, *words)
        assert await client.cancel(sleeper) == "requested"
        await eventually(lambda: _is(administrator, sleeper.id, b"CANCELLED"))
    ended = await asyncio.to_thread(worker.stop)

    assert ended.code == 0
    # What `rrq check` would like to ask, and does without.
    assert await refusals(administrator) == [("rrq-observer", "command", "info")]


async def test_a_worker_with_two_commands_more_can_pause_and_resume_queues(
    acl_server: EmbeddedRedis, administrator: Redis, place: Place
) -> None:
    await administrator.execute_command("ACL", "SETUSER", "rrq-worker", "+zcount", "+srem")
    await administrator.zadd("rrq:idle:default", {"rrq_worker_1": 9_000_000_000_000})
    for how in ("pause", "resume"):
        words = ("queue", how, "default")
        await asyncio.to_thread(rrq, place, dsn_of(acl_server, "rrq-worker"), *words)

    assert await administrator.exists("rrq:paused") == 0
    assert await administrator.lrange("rrq:mailbox:rrq_worker_1", 0, -1) == [b"wake"]
    assert await refusals(administrator) == []


async def _is(redis: Redis, job_id: str, status: bytes) -> bool:
    return bool(await redis.hget(f"rrq:job:{job_id}", "status") == status)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("category", ["admin", "dangerous", "pubsub"])
async def test_no_role_has_a_command_of_these_categories(
    administrator: Redis, role: str, category: str
) -> None:
    commands = {
        name.decode() for name in await administrator.execute_command("ACL", "CAT", category)
    }
    allowed = {rule[1:] for rule in rules_of(role) if rule.startswith("+")}

    assert commands
    assert allowed & commands == set()


async def test_an_observer_has_no_command_that_writes_or_runs_a_script(
    administrator: Redis,
) -> None:
    allowed = {rule[1:] for rule in rules_of("rrq-observer") if rule.startswith("+")}

    for category in ("write", "scripting", "blocking"):
        names = await administrator.execute_command("ACL", "CAT", category)
        assert allowed & {name.decode() for name in names} == set()


@pytest.mark.parametrize(
    "words",
    [
        ("job", "show", "seen"),
        ("queue", "list"),
    ],
)
async def test_a_command_under_rules_that_do_not_suffice_says_so_in_one_line(
    acl_server: EmbeddedRedis, administrator: Redis, place: Place, words: tuple[str, ...]
) -> None:
    await administrator.execute_command("ACL", "SETUSER", "rrq-observer", "-hgetall", "-smembers")

    ended = await asyncio.to_thread(
        lambda: rrq(place, dsn_of(acl_server, "rrq-observer"), *words, code=1)
    )

    [line] = ended.stderr.splitlines()
    assert "refuses" in line
    assert "no permissions" in line


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_reaches_another_prefix(
    acl_server: EmbeddedRedis, administrator: Redis, role: str
) -> None:
    await administrator.set("other:secret", "x")
    for key in ("other:secret", "rrq2:job:1", "xrrq:job:1"):
        async with Redis.from_url(dsn_of(acl_server, role)) as client:
            with pytest.raises(NoPermissionError):
                await client.get(key)
            if role != "rrq-observer":
                with pytest.raises(ResponseError, match="No permissions to access a key"):
                    await client.eval("return redis.call('GET', ARGV[1])", 1, "rrq:", key)


@pytest.mark.parametrize(
    "command",
    [
        ("ZADD", "rrq:leases", "1", "job"),
        ("GET", "rrq:health:worker:rrq_worker_1"),
        ("SET", "rrq:cron:nightly", "1"),
        ("SET", "rrq:lease:token", "1"),
        ("ZREM", "rrq:workers", "rrq_worker_1"),
    ],
)
async def test_a_producer_reaches_no_lease_heartbeat_or_cron_slot(
    producer: Redis, command: tuple[str, ...]
) -> None:
    with pytest.raises(NoPermissionError):
        await producer.execute_command(*command)


async def test_a_producer_can_read_and_change_every_job_of_its_prefix(
    acl_server: EmbeddedRedis, administrator: Redis, producer: Redis
) -> None:
    async with RRQClient(RRQSettings(redis_dsn=acl_server.dsn)) as somebody:
        job = await somebody.enqueue("echo", "theirs")
        assert job is not None
        assert b"theirs" in (await producer.hgetall(f"rrq:job:{job.id}"))[b"job_args"]
        await producer.hset(f"rrq:job:{job.id}", "function_name", "python#fail")
        [claim] = await claimed(somebody.job_store)
        assert claim.function_name == "python#fail"
        await producer.delete(f"rrq:job:{job.id}")
        assert await somebody.get_job(job.id) is None


async def test_a_producer_can_keep_the_server_busy_with_a_script_until_it_is_killed(
    administrator: Redis, producer: Redis
) -> None:
    forever = asyncio.create_task(producer.eval("while true do end", 0))  # type: ignore[arg-type]

    async def is_busy() -> bool:
        try:
            await administrator.ping()
        except (ResponseError, BusyLoadingError) as error:
            return "BUSY" in str(error) or "busy" in str(error)
        return False

    await eventually(is_busy)
    await administrator.script_kill()
    with pytest.raises(ResponseError):
        await forever
    assert await administrator.ping()
