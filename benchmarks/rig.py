"""A private Redis, a real worker process and what is measured of them, for every benchmark."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from rrq import JobRequest, RRQClient, RRQSettings
from rrq.embedded import EmbeddedRedis
from rrq.store.verdict import Verdict

HERE = Path(__file__).parent


@dataclass
class Rig:
    """One server, one client, and workers on demand."""

    server: EmbeddedRedis
    settings: RRQSettings
    client: RRQClient

    worker_command: ClassVar[list[str]] = [sys.executable, "-m", "rrq"]
    """What starts `rrq` in a worker's process."""

    async def empty(self) -> None:
        """Forget everything that is in Redis, and its statistics."""
        # With SYNC: data that is freed later would count for the next measure.
        await self.client.job_store.redis.execute_command("FLUSHALL", "SYNC")
        await self.client.job_store.redis.config_resetstat()

    async def enqueue(self, function: str, count: int, *args: object) -> None:
        """Put jobs into the default queue, in bulk."""
        await self.client.enqueue_many(JobRequest(function, args) for _ in range(count))

    async def redis_cpu_seconds(self) -> float:
        """The processor time that the server has used."""
        info = await self.client.job_store.redis.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])

    async def times(self, field_a: str, field_b: str) -> list[tuple[float, float]]:
        """Two times of every job in Redis, in seconds since the epoch."""
        redis = self.client.job_store.redis
        keys = [key async for key in redis.scan_iter("rrq:job:*", count=1000)]
        times = []
        for start in range(0, len(keys), 1000):
            async with redis.pipeline(transaction=False) as pipeline:
                for key in keys[start : start + 1000]:
                    pipeline.hmget(key, field_a, field_b)
                for a, b in await pipeline.execute():
                    times.append((_seconds(a), _seconds(b)))
        return times

    async def commands(self, name: str | None = None) -> int:
        """Commands that Redis has run since `empty`: of one name, or all; scripts' own count."""
        redis = self.client.job_store.redis
        if name is None:
            return int((await redis.info("stats"))["total_commands_processed"])
        stats = await redis.info("commandstats")
        return int(stats.get(f"cmdstat_{name}", {}).get("calls", 0))

    async def memory_bytes(self) -> int:
        """What the data in Redis takes."""
        return int((await self.client.job_store.redis.info("memory"))["used_memory"])

    async def unfinished(self) -> int:
        """Jobs of the default queue that wait or are leased."""
        async with self.client.job_store.redis.pipeline(transaction=False) as pipeline:
            pipeline.zcard("rrq:queue:default")
            pipeline.zcard("rrq:leases")
            return sum(await pipeline.execute())

    async def until_finished(self, seconds: float) -> None:
        """Wait until no job waits or is leased.

        Raises:
            TimeoutError: some still were when the time was over.
        """
        async with asyncio.timeout(seconds):
            while await self.unfinished():  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def worker(
        self, *, processes: int, in_flight: int, burst: bool = False
    ) -> AsyncIterator[subprocess.Popen[bytes]]:
        """A worker process with Python executors, ready unless it is a burst."""
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "rrq.toml"
            config.write_text(
                f'redis_dsn = "{self.server.dsn}"\n'
                "[executors.python]\n"
                'type = "python"\n'
                'settings = "handlers:settings"\n'
                f'cwd = "{HERE}"\n'
                f"pool_size = {processes}\n"
                f"max_in_flight = {in_flight}\n"
            )
            command = [*self.worker_command, "worker", "run", "--config", str(config)]
            worker = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
                [*command, *(["--burst"] if burst else ["--log-level", "warning"])],
                stderr=subprocess.DEVNULL if burst else None,
                stdout=subprocess.DEVNULL,
            )
            try:
                if not burst:
                    await self._until_ready(worker)
                yield worker
            finally:
                if worker.poll() is None:
                    worker.send_signal(signal.SIGTERM)
                await asyncio.to_thread(worker.wait)

    async def _until_ready(self, worker: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        while not await self.client.job_store.redis.exists("rrq:idle:default"):
            if worker.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the worker did not become ready (status {worker.poll()})")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """A rig on a fresh server."""
    with EmbeddedRedis() as server:
        settings = RRQSettings(redis_dsn=server.dsn)
        async with RRQClient(settings) as client:
            yield Rig(server, settings, client)


def leave_out_plugins() -> None:
    """Measure RRQ with the Python runtime and no other plugin, unless the caller has chosen: what
    a plugin costs is measured by `telemetry_cost.py`."""
    os.environ.setdefault("RRQ_DISABLED_PLUGINS", "ddtrace,logfire,otel,prometheus,top")
    # Logfire has a plugin of pydantic's besides, which every process would import.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


async def ceiling_jobs_per_second(rig: Rig, jobs: int) -> float:
    """The atomic steps alone: claim and settle, in turn, 50 jobs a call."""
    await rig.empty()
    await rig.enqueue("noop", jobs)
    leases = rig.client.job_store.leases
    done = 0
    began = time.perf_counter()
    while done < jobs:
        claimed = await leases.claim("rrq_worker_ceiling", ["default"], 50, park_ms=1000)
        await leases.settle(
            [
                Verdict(
                    job_id=claim.job_id,
                    token=claim.token,
                    kind="complete",
                    queue=claim.queue,
                    text="null",
                    function_name=claim.function_name if claim.is_plain else None,
                )
                for claim in claimed.claims
            ]
        )
        done += len(claimed.claims)
    return jobs / (time.perf_counter() - began)


def report(label: str, figure: float, unit: str, ceiling: float | None = None) -> None:
    """Print a figure, and its ratio to the ceiling of this run."""
    text = f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"
    ratio = f"   {figure / ceiling:.2f} of the ceiling" if ceiling else ""
    print(f"{label:<46}{text:>10} {unit}{ratio}", flush=True)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started (Linux)."""
    return [
        int(child)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children")
        for child in tasks.read_text().split()
    ]


def memory_mb(pid: int) -> float:
    """The resident memory of a process, in megabytes (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, in seconds (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def cpu_seconds_of_life(process: subprocess.Popen[bytes]) -> float:
    """The processor time that a process has used, in seconds, once it has ended."""
    readings: list[float] = []
    while process.poll() is None:
        readings.append(cpu_seconds(process.pid))
        await asyncio.sleep(0.02)
    return readings[-1]


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of the values do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _seconds(text: bytes) -> float:
    return datetime.fromisoformat(text.decode()).timestamp()
