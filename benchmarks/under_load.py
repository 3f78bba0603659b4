"""How does RRQ bear load? Payloads, jobs that wait, start latency under load, several workers.

    python benchmarks/under_load.py            # about two minutes
    python benchmarks/under_load.py --jobs 2000

Figures of speed are followed by their ratio to the ceiling of this run, as in `end_to_end.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import AsyncExitStack

from rig import Rig, ceiling_jobs_per_second, leave_out_plugins, percentile, report, rig

from rrq import JobRequest

LIMIT_SECONDS = 120.0


async def main(jobs: int, samples: int) -> None:
    async with rig() as bench:
        ceiling = await ceiling_jobs_per_second(bench, jobs)
        report("ceiling: claim + settle, 50 jobs a call", ceiling, "jobs/s")
        for name, size in (("100 B", 100), ("10 KB", 10_000), ("1 MB", 1_000_000)):
            await payloads(bench, name, size, max(20, min(jobs, 50_000_000 // size)), ceiling)
        await waiting(bench, jobs // 10)
        rate = 0.0
        for workers in (1, 2, 4):
            rate = max(rate, await several_workers(bench, workers, jobs, ceiling))
        await latency_under_load(bench, rate / 2, samples)


async def payloads(bench: Rig, name: str, size: int, jobs: int, ceiling: float) -> None:
    """Jobs whose argument is so large, and whose result is the same."""
    await bench.empty()
    before = await bench.memory_bytes()
    text = "x" * size
    began = time.perf_counter()
    await bench.client.enqueue_many(JobRequest("echo", [text]) for _ in range(jobs))
    report(f"{name}: enqueue_many", jobs / (time.perf_counter() - began), "jobs/s", ceiling)
    memory = (await bench.memory_bytes() - before) / jobs
    report(f"{name}: memory of Redis, a waiting job", memory, "bytes")
    rate = await done_per_second(bench, jobs, workers=1)
    report(f"{name}: jobs with their result", rate, "jobs/s", ceiling)


async def waiting(bench: Rig, jobs: int) -> None:
    """Jobs of 100 ms, 100 at a time."""
    await bench.empty()
    await bench.enqueue("sleep", jobs, 0.1)
    async with bench.worker(processes=1, in_flight=100):
        await bench.until_finished(LIMIT_SECONDS)
    times = await bench.times("start_time", "completion_time")
    seconds = max(end for _, end in times) - min(start for start, _ in times)
    report(f"{jobs:,} × 100 ms, 100 in flight", seconds, "s")
    report("  ratio to the ideal", seconds / (jobs * 0.1 / 100), "")


async def several_workers(bench: Rig, workers: int, jobs: int, ceiling: float) -> float:
    """No-op jobs of one queue, by several workers with one executor process each."""
    await bench.empty()
    await bench.enqueue("noop", jobs)
    rate = await done_per_second(bench, jobs, workers)
    report(f"no-op jobs, {workers} worker(s)", rate, "jobs/s", ceiling)
    return rate


async def latency_under_load(bench: Rig, load: float, samples: int) -> None:
    """Start latency while jobs come in at half the rate that the workers can do."""
    await bench.empty()
    async with bench.worker(processes=1, in_flight=32):
        until = time.perf_counter() + samples * 0.01
        tick = 0.01
        next_tick = time.perf_counter()
        owed = 0.0
        while time.perf_counter() < until:
            owed += load * tick
            await bench.enqueue("noop", int(owed))
            owed -= int(owed)
            next_tick += tick
            await asyncio.sleep(max(0.0, next_tick - time.perf_counter()))
        await bench.until_finished(LIMIT_SECONDS)
    times = await bench.times("enqueue_time", "start_time")
    waits = [1000 * (start - enqueued) for enqueued, start in times]
    seconds = max(start for _, start in times) - min(enqueued for enqueued, _ in times)
    report("start latency under load: the load", len(times) / seconds, "jobs/s")
    for percent in (50, 95, 99):
        report(f"start latency under load, p{percent}", percentile(waits, percent), "ms")


async def done_per_second(bench: Rig, jobs: int, workers: int) -> float:
    """From the start of the first job to the end of the last, by Redis' clock."""
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            await stack.enter_async_context(bench.worker(processes=1, in_flight=32, burst=True))
        await bench.until_finished(LIMIT_SECONDS)
    times = await bench.times("start_time", "completion_time")
    return jobs / (max(end for _, end in times) - min(start for start, _ in times))


if __name__ == "__main__":
    leave_out_plugins()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000, help="no-op jobs in each run")
    parser.add_argument("--samples", type=int, default=500, help="hundredths of a second of load")
    options = parser.parse_args()
    asyncio.run(main(options.jobs, options.samples))
