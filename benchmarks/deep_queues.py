"""Does a deep queue slow the claim of a due job? Claim time with 10 to 1,000,000 others in it.

    python benchmarks/deep_queues.py             # two minutes and 2 GB of memory
    python benchmarks/deep_queues.py --deepest 10000

The others are deferred, or wait as well. One job is claimed and settled, many times over, at each
depth. What is printed is the median time of the claim call, and its ratio to that at the smallest
depth of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from rig import Rig, leave_out_plugins, rig

from rrq import JobRequest
from rrq.store.verdict import Verdict

DEPTHS = (10, 1_000, 100_000, 1_000_000)


async def main(deepest: int, samples: int) -> None:
    async with rig() as bench:
        for kind, defer_by in (("deferred", 3600.0), ("waiting", None)):
            await bench.empty()
            first = None
            depth = 0
            for wanted in (one for one in DEPTHS if one <= deepest):
                await put(bench, wanted - depth, defer_by)
                depth = wanted
                times = [await claim_seconds(bench) for _ in range(samples)]
                median_ms = 1000 * statistics.median(times)
                first = first or median_ms
                print(
                    f"{depth:>9,} {kind} jobs: claim {median_ms:.3f} ms   "
                    f"{median_ms / first:.2f} ×",
                    flush=True,
                )


async def put(bench: Rig, count: int, defer_by: float | None) -> None:
    """Put jobs into the queue that become due then, in seconds, or at once."""
    batch = 10_000
    for start in range(0, count, batch):
        await bench.client.enqueue_many(
            JobRequest("noop", defer_by=defer_by) for _ in range(min(batch, count - start))
        )


async def claim_seconds(bench: Rig) -> float:
    """How long the claim of one due job takes."""
    await bench.client.enqueue("noop")
    leases = bench.client.job_store.leases
    began = time.perf_counter()
    claimed = await leases.claim("rrq_worker_bench", ["default"], 1, park_ms=1000)
    seconds = time.perf_counter() - began
    [claim] = claimed.claims
    verdict = Verdict(
        job_id=claim.job_id, token=claim.token, kind="complete", queue="default", text="null"
    )
    await leases.settle([verdict])
    return seconds


if __name__ == "__main__":
    leave_out_plugins()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deepest", type=int, default=1_000_000, help="the deepest queue to try")
    parser.add_argument("--samples", type=int, default=300, help="claims at each depth")
    options = parser.parse_args()
    asyncio.run(main(options.deepest, options.samples))
