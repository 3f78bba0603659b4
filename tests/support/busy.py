"""`BusyPlace`: a server on which a real worker ran, with jobs in every state there is.

The fixture `busy` makes one for a module; its tests look at it, and leave what others look at.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from rrq.cli.main import run
from rrq.embedded import EmbeddedRedis
from rrq.job import Job
from rrq.settings import RRQSettings
from rrq.sync_client import SyncRRQClient
from tests.support.distributions import rrq_command
from tests.support.places import Ended, Place
from tests.support.waiting import eventually_blocking

HANDLERS = """
    import asyncio
    from pathlib import Path

    from rrq import JobRegistry, PythonExecutorSettings

    async def echo(ctx, *words, **named):
        return {"words": words, "named": named}

    async def send_email(ctx, address):
        raise ValueError(f"no such address as {address} in the address book of the shop")

    async def hold(ctx):
        ctx.progress(3, 10, "third page")
        while not Path("gate").exists():
            await asyncio.sleep(0.05)

    registry = JobRegistry()
    for handler in (echo, send_email, hold):
        registry.register(handler.__name__, handler)
    settings = PythonExecutorSettings(job_registry=registry)
"""

CONFIGURATION = """
    [rrq]
    redis_dsn = "{dsn}"
    base_retry_delay_seconds = 3600
    worker_health_check_interval_seconds = 1

    [rrq.executors.python]
    type = "python"
    settings = "handlers:settings"
    pool_size = 1
    max_in_flight = 8

    [[rrq.cron_jobs]]
    name = "new year"
    function_name = "echo"
    schedule = "0 0 1 1 *"
    queue_name = "night"

    [[rrq.cron_jobs]]
    name = "old year"
    function_name = "echo"
    schedule = "59 23 31 12 *"
    timezone = "Asia/Tokyo"
    queue_name = "night"
"""


@dataclass
class BusyPlace:
    """The place, the address of its server, and the ids of its jobs by what they show.

    Jobs: `done`, `failed`, `retrying`, `running`, `deferred`, `unique`, `cancelled` and `paused`,
    the last one in the paused queue `night`; `ghost` is an id there without a hash, and `gone` one
    in the dead letter queue.
    """

    place: Place
    dsn: str
    ids: dict[str, str] = field(default_factory=dict)

    def rrq(self, *arguments: str) -> Ended:
        """Run a command in this process, as in a pipe."""
        stdout, stderr = io.StringIO(), io.StringIO()
        words = [*arguments, "--config", str(self.place.directory / "rrq.toml")]
        with redirect_stdout(stdout), redirect_stderr(stderr):
            code = run(words)
        return Ended(f"rrq {' '.join(words)}", code, stdout.getvalue(), stderr.getvalue())


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusyPlace]:
    """A place with a living worker, and jobs in every state."""
    directory: Path = tmp_path_factory.mktemp("busy")
    with EmbeddedRedis() as server:
        for place in Place(directory, rrq_command().parent).lend():
            place.write("handlers.py", HANDLERS)
            place.write("rrq.toml", CONFIGURATION.format(dsn=server.dsn))
            worker = place.start("rrq", "worker", "run", "--queue", "default", "--queue", "mail")
            busy = BusyPlace(place, server.dsn)
            _fill(busy)
            yield busy
            place.write("gate", "")
            worker.stop()


def _fill(busy: BusyPlace) -> None:
    with (
        SyncRRQClient(RRQSettings(redis_dsn=busy.dsn)) as client,
        Redis.from_url(busy.dsn, decode_responses=True) as redis,
    ):

        def job(name: str, function: str, *args: object, **options: object) -> Job:
            job = client.enqueue(function, *args, **options)  # type: ignore[arg-type]
            assert job is not None
            busy.ids[name] = job.id
            return job

        client.enqueue("echo", "first", _queue_name="mail")
        job("done", "echo", "word", named=[1, None], _result_ttl_seconds=3600)
        for address in ("ada@example.org", "bob@example.org"):
            client.enqueue("send_email", address, _queue_name="mail", _max_retries=1)
        job("failed", "send_email", "eve@example.org", _max_retries=1)
        job("retrying", "send_email", "ada@example.org", _max_retries=3)
        job("running", "hold")
        job("deferred", "echo", _defer_by=3600)
        job("unique", "echo", _defer_by=3600, _unique_key="one")
        client.cancel(job("cancelled", "echo", _defer_by=3600))
        job("paused", "echo", _queue_name="night")
        busy.rrq("queue", "pause", "night")
        redis.zadd("rrq:queue:night", {"ghost": (time.time() - 60) * 1000})
        redis.lpush("rrq:dlq:default", "gone")
        ended = {"done": "COMPLETED", "failed": "FAILED", "retrying": "RETRYING"}

        def statuses() -> dict[str, str | None]:
            return {name: redis.hget(f"rrq:job:{busy.ids[name]}", "status") for name in ended}

        eventually_blocking(lambda: statuses() == ended, 30, "the ends of the jobs")
        eventually_blocking(lambda: redis.llen("rrq:dlq:default") == 4, 30, "dead letters")
        running = f"rrq:job:{busy.ids['running']}"
        eventually_blocking(lambda: "third" in str(redis.hgetall(running)), 30, "its progress")
        eventually_blocking(lambda: redis.keys("rrq:health:worker:*"), 30, "a heartbeat")
