"""A producer process, a worker and an executor process, and a job for every way to end.

A tracing backend's test gives the module `tracing` of the application, with

- `set_up()`: configure the SDK of the producer process,
- `request_span()`: the context manager of a span in which the producer enqueues,
- `child_span()`: the context manager of a handler's own span,
- `flush()`: send what the producer holds,

and the environment of both sides; it finds the jobs' ids in what `run_shop` returns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.places import Ended, Place

FUNCTIONS = ("buy", "wobble", "break", "oversleep", "linger", "nobody")
"""Succeeds; asks for a retry, then succeeds; fails twice and is dead-lettered; is timed out; is
cancelled while it runs; has no handler."""

_HANDLERS = """
    import asyncio
    from pathlib import Path

    import tracing
    from rrq import JobRegistry, PythonExecutorSettings
    from rrq.exc import RetryJob

    async def buy(ctx, order, *, tenant):
        with tracing.child_span():
            return order["id"]

    def wobble(ctx):
        with tracing.child_span():
            if ctx["job_try"] == 1:
                raise RetryJob("not yet", defer_seconds=0.05)

    async def break_(ctx):
        raise LookupError("out of stock")

    async def oversleep(ctx):
        await asyncio.sleep(60)

    async def linger(ctx):
        Path("lingering").touch()
        await asyncio.sleep(60)

    registry = JobRegistry()
    for handler in (buy, wobble, break_, oversleep, linger):
        registry.register(handler.__name__.rstrip("_"), handler)
    settings = PythonExecutorSettings(job_registry=registry)
"""

_PRODUCER = """
    import asyncio
    import json
    from pathlib import Path

    import tracing
    from rrq import RRQClient
    from rrq.config import load_toml_settings
    from rrq.exc import JobFailed

    tracing.set_up()

    async def main():
        async with RRQClient(load_toml_settings()) as client:
            jobs = {}
            with tracing.request_span():
                jobs["buy"] = await client.enqueue("buy", {"id": 7}, tenant="acme")
                jobs["wobble"] = await client.enqueue("wobble")
                jobs["break"] = await client.enqueue("break", _max_retries=2)
                jobs["oversleep"] = await client.enqueue("oversleep", _job_timeout_seconds=1)
                jobs["linger"] = await client.enqueue("linger")
                jobs["nobody"] = await client.enqueue("nobody")
            while not Path("lingering").exists():
                await asyncio.sleep(0.01)
            await client.cancel(jobs["linger"])
            for job in jobs.values():
                try:
                    await client.wait(job, timeout=20)
                except JobFailed:
                    pass
            print(json.dumps({name: job.id for name, job in jobs.items()}))

    asyncio.run(main())
    tracing.flush()
"""


@dataclass(frozen=True)
class TracedShop:
    """What ran: the ids by function, and what the worker said."""

    jobs: Mapping[str, str]
    worker: Ended


def run_shop(
    place: Place,
    redis_dsn: str,
    tracing: str,
    *,
    environment: Mapping[str, str],
    plugins: str = "",
) -> TracedShop:
    """Run one job of each function to its end, and stop the worker.

    Args:
        tracing: the source of the module `tracing`.
        environment: of the producer and of the worker.
        plugins: TOML for the worker and the producer, as in `[rrq.plugins.otel]` and its keys.
    """
    place.write("tracing.py", tracing)
    place.write("handlers.py", _HANDLERS)
    place.write("producer.py", _PRODUCER)
    configuration = f"""
        [rrq]
        redis_dsn = "{redis_dsn}"
        base_retry_delay_seconds = 0.05

        [rrq.executors.python]
        type = "python"
        settings = "handlers:settings"
        pool_size = 1
        max_in_flight = 10
        """
    path = place.write("rrq.toml", configuration)
    path.write_text(f"{path.read_text()}\n{plugins}\n")
    worker = place.start("rrq", "worker", "run", "--log-format", "json", **environment)
    produced = place.run("python", "producer.py", **environment)
    return TracedShop(json.loads(produced.stdout.splitlines()[-1]), worker.stop())
