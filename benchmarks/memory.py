"""How much memory do a worker and its executor take, idle and after many jobs?

    python benchmarks/memory.py                  # 100,000 jobs: half a minute
    python benchmarks/memory.py --jobs 1000000   # three minutes

Jobs come in steps and are forgotten by Redis soon after they ended, so that it stays small. What
is printed is the resident memory of each process, and what it grew by since the first 100,000.
"""

from __future__ import annotations

import argparse
import asyncio

from rig import Rig, children_of, leave_out_plugins, memory_mb, report, rig

from rrq import JobRequest

STEP = 10_000
SHOWN = (100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000)
LIMIT_SECONDS = 60.0


async def main(jobs: int) -> None:
    async with rig() as bench:
        await redis_memory(bench)
        await bench.empty()
        async with bench.worker(processes=1, in_flight=32) as worker:
            processes = {"worker": worker.pid, "executor": children_of(worker.pid)[0]}
            await asyncio.sleep(1)
            show("idle", processes, None)
            after_first: dict[str, float] | None = None
            for done in range(STEP, jobs + 1, STEP):
                await bench.client.enqueue_many(
                    JobRequest("noop", result_ttl_seconds=1) for _ in range(STEP)
                )
                await bench.until_finished(LIMIT_SECONDS)
                if done in SHOWN or done == jobs:
                    readings = show(f"after {done:,}", processes, after_first)
                    after_first = after_first or readings


async def redis_memory(bench: Rig) -> None:
    """What a waiting job takes in Redis."""
    await bench.empty()
    before = await bench.memory_bytes()
    await bench.enqueue("noop", STEP, "x" * 100)
    report("Redis: a waiting job of 100 B", (await bench.memory_bytes() - before) / STEP, "bytes")


def show(when: str, processes: dict[str, int], first: dict[str, float] | None) -> dict[str, float]:
    """Print and return the memory of each process."""
    readings = {name: memory_mb(pid) for name, pid in processes.items()}
    for name, reading in readings.items():
        grown = f", {reading - first[name]:+.1f} since the first 100,000" if first else ""
        report(f"{name}, {when}", reading, f"MB{grown}")
    return readings


if __name__ == "__main__":
    leave_out_plugins()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=100_000, help="how many jobs in all")
    asyncio.run(main(parser.parse_args().jobs))
