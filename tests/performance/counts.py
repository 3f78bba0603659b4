"""What a job costs in things that can be counted: the same on every machine, busy or not.

`python -m tests.performance.counts` prints the figures as `budget.toml` has them. It is a process
of its own, so that nothing is counted that a test process has loaded beside.
"""

from __future__ import annotations

import asyncio
import cProfile
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rrq import telemetry
from rrq.client import RRQClient
from rrq.embedded import EmbeddedRedis
from rrq.job_request import JobRequest
from rrq.orchestrator.worker import Worker
from rrq.plugins import load_plugins
from rrq.settings import ExecutorConfig, RRQSettings

JOBS = 2_000
RUNS = 3
"""A busy machine makes the worker's batches smaller, which adds to what a job costs. What it costs
at least, it costs in each run."""

HANDLERS = """
from rrq import JobRegistry, PythonExecutorSettings

async def noop(ctx):
    pass

registry = JobRegistry()
registry.register("noop", noop)
settings = PythonExecutorSettings(job_registry=registry)
"""

HEAD = """\
# What one no-op job may cost, in things that can be counted. How much more is too much, says
# tests/performance/test_budget.py. A change that is worth its price, or a gain, gets new figures:
#
#   python -m tests.performance.counts >tests/performance/budget.toml
#
# enqueue: one by one, by the client. bulk: by enqueue_many. worker: from claim to settled result,
# all but what its executor does. Commands and bytes are Redis' own count, those of scripts too.
"""

TELEMETRY = ("otel", "ddtrace", "logfire", "prometheus")
"""A backend costs what it costs: here it is about RRQ without one."""


async def counts(settings: RRQSettings) -> dict[str, float]:
    """Each figure by its name in `budget.toml`, for one job."""
    async with RRQClient(settings) as client:
        one_by_one = await _counted(client, "enqueue", JOBS // 10, lambda: _one_by_one(client))
        runs = [
            {
                **await _counted(client, "bulk", JOBS, lambda: _in_bulk(client)),
                **await _counted(client, "worker", JOBS, lambda: _worked(settings)),
            }
            for _ in range(RUNS)
        ]
    return {**one_by_one, **{name: min(run[name] for run in runs) for name in runs[0]}}


async def _one_by_one(client: RRQClient) -> None:
    for _ in range(JOBS // 10):
        await client.enqueue("noop")


async def _in_bulk(client: RRQClient) -> None:
    # The worker is to do what this puts in, and nothing more.
    await client.job_store.redis.flushdb()
    await client.enqueue_many(JobRequest("noop") for _ in range(JOBS))


async def _worked(settings: RRQSettings) -> None:
    """A worker with one real executor process; all but what runs there is counted."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "counted_handlers.py").write_text(HANDLERS)
        executor = ExecutorConfig(
            type="python", settings="counted_handlers:settings", cwd=folder, max_in_flight=32
        )
        configured = settings.model_copy(
            update={"executors": {"python": executor}, "default_executor_name": "python"}
        )
        await Worker(configured, load_plugins(disabled=TELEMETRY), burst=True).run()


async def _counted(
    client: RRQClient, name: str, jobs: int, work: Callable[[], Awaitable[None]]
) -> dict[str, float]:
    redis = client.job_store.redis
    # What is done once, such as loading scripts and importing modules, is no cost of a job.
    await client.enqueue("noop", _queue_name="warm")
    await redis.config_resetstat()
    profile = cProfile.Profile()
    profile.enable()
    await work()
    profile.disable()
    # Anything that redis-py answers is typed as either of its two clients' answers.
    traffic: Any = await redis.info("stats")
    commands: Any = await redis.info("commandstats")
    calls = sum(commands.get(f"cmdstat_{kind}", {}).get("calls", 0) for kind in _CALLS)
    functions: Any = profile.getstats()
    return {
        f"{name}.python_calls": sum(entry.callcount for entry in functions) / jobs,
        f"{name}.redis_calls": calls / jobs,
        f"{name}.redis_commands": sum(one["calls"] for one in commands.values()) / jobs,
        f"{name}.bytes_to_redis": traffic["total_net_input_bytes"] / jobs,
        f"{name}.bytes_from_redis": traffic["total_net_output_bytes"] / jobs,
    }


_CALLS = ("evalsha", "eval", "fcall")


def main() -> None:
    """Print today's figures."""
    telemetry.disable()
    with EmbeddedRedis() as server:
        measured = asyncio.run(counts(RRQSettings(redis_dsn=server.dsn)))
    print(HEAD)
    section = ""
    for name, figure in measured.items():
        of, _, what = name.partition(".")
        if of != section:
            print(f"\n[{of}]" if section else f"[{of}]")
            section = of
        print(f"{what} = {figure:.3g}" if figure < 1000 else f"{what} = {figure:.0f}")


if __name__ == "__main__":
    main()
