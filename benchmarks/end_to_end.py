"""How fast is RRQ by itself? No-op jobs, enqueueing, start latency, and what idling costs.

    python benchmarks/end_to_end.py            # about a minute
    python benchmarks/end_to_end.py --jobs 5000
    python benchmarks/end_to_end.py --full     # 1, 8, 32, 100 in flight, 1 and 2 processes

Each figure of speed is followed by its ratio to the ceiling of this run: the claim and settle
steps called directly, without orchestrator and executors. Compare ratios, not absolute figures:
machines differ, and the same machine differs from one minute to the next.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence

from rig import (
    Rig,
    ceiling_jobs_per_second,
    cpu_seconds,
    cpu_seconds_of_life,
    leave_out_plugins,
    memory_mb,
    percentile,
    report,
    rig,
)

SOME = ((1, 32), (2, 100), (1, 1))
ALL = tuple((processes, in_flight) for processes in (1, 2) for in_flight in (1, 8, 32, 100))
"""Executor processes, and jobs in flight in each."""


CONCURRENT = 50


async def main(jobs: int, samples: int, sizes: Sequence[tuple[int, int]]) -> None:
    async with rig() as bench:
        ceiling = await ceiling_jobs_per_second(bench, jobs)
        report("ceiling: claim + settle, 50 jobs a call", ceiling, "jobs/s")
        start_up = await start_up_seconds(bench)
        for processes, in_flight in sizes:
            await throughput(bench, jobs, processes, in_flight, ceiling, start_up)
        await enqueueing(bench, jobs, ceiling)
        await idling(bench, samples)
    help_seconds()


async def throughput(
    bench: Rig, jobs: int, processes: int, in_flight: int, ceiling: float, start_up: float
) -> None:
    """From the start of the first job to the end of the last, by Redis' clock.

    `start_up` is the processor time, in seconds, that a worker without jobs uses.
    """
    await bench.empty()
    await bench.enqueue("noop", jobs)
    await bench.client.job_store.redis.config_resetstat()
    redis_before = await bench.redis_cpu_seconds()
    async with bench.worker(processes=processes, in_flight=in_flight, burst=True) as worker:
        worker_seconds = await cpu_seconds_of_life(worker) - start_up
    redis_seconds = await bench.redis_cpu_seconds() - redis_before
    calls = await bench.commands("evalsha")
    times = await bench.times("start_time", "completion_time")
    seconds = max(end for _, end in times) - min(start for start, _ in times)
    label = f"no-op jobs, {processes} process(es), {in_flight} in flight each"
    report(label, jobs / seconds, "jobs/s", ceiling)
    report("  processor time of the worker, a job", 1e6 * worker_seconds / jobs, "µs")
    report("  processor time of Redis, a job", 1e6 * redis_seconds / jobs, "µs")
    report("  calls of Redis, a thousand jobs", 1000 * calls / jobs, "")


async def start_up_seconds(bench: Rig) -> float:
    """The processor time of a worker that finds nothing to do, and ends."""
    await bench.empty()
    async with bench.worker(processes=1, in_flight=32, burst=True) as worker:
        return await cpu_seconds_of_life(worker)


async def enqueueing(bench: Rig, jobs: int, ceiling: float) -> None:
    await bench.empty()
    began = time.perf_counter()
    await bench.enqueue("noop", jobs)
    report("enqueue_many", jobs / (time.perf_counter() - began), "jobs/s", ceiling)
    began = time.perf_counter()
    for start in range(0, jobs, CONCURRENT):
        count = min(CONCURRENT, jobs - start)
        await asyncio.gather(*(bench.client.enqueue("noop") for _ in range(count)))
    rate = jobs / (time.perf_counter() - began)
    report(f"enqueue, {CONCURRENT} at a time", rate, "jobs/s", ceiling)
    singles = max(500, jobs // 10)
    began = time.perf_counter()
    for _ in range(singles):
        await bench.client.enqueue("noop")
    report("enqueue, one by one", singles / (time.perf_counter() - began), "jobs/s", ceiling)


async def idling(bench: Rig, samples: int) -> None:
    """Start latency on an idle worker, and what the worker costs while nothing happens."""
    await bench.empty()
    redis = bench.client.job_store.redis
    async with bench.worker(processes=1, in_flight=32) as worker:
        await asyncio.sleep(1)
        before, cpu_before = await redis.info("stats"), cpu_seconds(worker.pid)
        await asyncio.sleep(5)
        after, cpu_after = await redis.info("stats"), cpu_seconds(worker.pid)
        # Minus the INFO that counts itself.
        commands = after["total_commands_processed"] - before["total_commands_processed"] - 1
        report("idle worker: Redis commands", commands / 5, "a second")
        report("idle worker: processor", 100 * (cpu_after - cpu_before) / 5, "%")
        report("idle worker: memory", memory_mb(worker.pid), "MB")
        for _ in range(samples):
            job = await bench.client.enqueue("noop")
            assert job is not None
            await bench.client.wait(job, timeout=10)
            await asyncio.sleep(0.01)
    waits = [
        1000 * (start - enqueued)
        for enqueued, start in await bench.times("enqueue_time", "start_time")
    ]
    for percent in (50, 95, 99):
        report(f"start latency on an idle worker, p{percent}", percentile(waits, percent), "ms")


def help_seconds() -> None:
    """The best of five, since it is the start-up of one process."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "rrq", "--help"], stdout=subprocess.DEVNULL, check=True
        )
        times.append(time.perf_counter() - began)
    report("rrq --help", min(times), "s")


if __name__ == "__main__":
    leave_out_plugins()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000, help="jobs in each run")
    parser.add_argument("--samples", type=int, default=300, help="jobs for the start latency")
    parser.add_argument("--full", action="store_true", help="all sizes")
    options = parser.parse_args()
    asyncio.run(main(options.jobs, options.samples, ALL if options.full else SOME))
