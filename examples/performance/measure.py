"""How many jobs a second the workers that run now do, from the first enqueue to the last result."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from rrq import JobRequest, RRQClient
from rrq.config import load_toml_settings

AT_ONCE = 200


async def measure(count: int) -> int:
    """Enqueue so many jobs, await every result, print the rates; the exit code."""
    async with RRQClient(load_toml_settings()) as client:
        warm = await client.enqueue("nothing", -1)
        assert warm is not None
        try:
            await client.wait(warm, timeout=30)
        except TimeoutError:
            print("No worker took a job within 30 s: start `rrq worker run`.", file=sys.stderr)
            return 1

        began = time.perf_counter()
        jobs = await client.enqueue_many([JobRequest("nothing", [n]) for n in range(count)])
        enqueued = time.perf_counter()
        wrong = 0
        for first in range(0, count, AT_ONCE):
            some = [job for job in jobs[first : first + AT_ONCE] if job]
            results = await asyncio.gather(*(client.wait(job, timeout=60) for job in some))
            wrong += results != list(range(first, first + len(some)))
        ended = time.perf_counter()

    print(f"enqueued  {count / (enqueued - began):10,.0f} jobs/s")
    print(f"done      {count / (ended - began):10,.0f} jobs/s, every result awaited")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many jobs")
    sys.exit(asyncio.run(measure(parser.parse_args().count)))
