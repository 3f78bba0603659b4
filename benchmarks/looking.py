"""Does it cost more to look at a queue of a million jobs than at one of a hundred?

    python benchmarks/looking.py
    python benchmarks/looking.py --most 100000

For each size, half of the jobs wait and half have ended. Each look is what a command asks of Redis,
without the start of a process; figures are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from rig import Rig, rig

from rrq.job import JobStatus
from rrq.store.census import census
from rrq.store.listing import Choice
from rrq.store.verdict import Verdict

LOOKS = 15


async def main(most: int) -> None:
    async with rig() as bench:
        figures: dict[str, list[float]] = {}
        for jobs in (100, most):
            await fill(bench, jobs)
            for name, look in looks(bench).items():
                figures.setdefault(name, []).append(await milliseconds(look))
        print(f"{'':<46}{100:>10}{most:>12} jobs")
        for name, (few, many) in figures.items():
            print(f"{name:<46}{few:>8.1f}ms{many:>10.1f}ms  {many / few:5.2f} ×")


async def fill(bench: Rig, jobs: int) -> None:
    """Half of the jobs wait, a thousandth of the others failed, the rest succeeded."""
    await bench.empty()
    await bench.enqueue("noop", jobs)
    leases = bench.client.job_store.leases
    done = 0
    while done < jobs // 2:
        claimed = await leases.claim("rrq_worker_1", ["default"], 50, park_ms=1000)
        verdicts = []
        for claim in claimed.claims:
            done += 1
            failed = done % 1000 == 50
            verdicts.append(
                Verdict(
                    job_id=claim.job_id,
                    token=claim.token,
                    kind="fail" if failed else "complete",
                    queue=claim.queue,
                    text="no luck" if failed else "null",
                    run_ms=1,
                )
            )
        await leases.settle(verdicts)


def looks(bench: Rig) -> dict[str, Callable[[], Awaitable[object]]]:
    store = bench.client.job_store

    async def queue_stats() -> None:
        await store.queues.describe(["default"])
        await store.statistics.totals("queue", ["default"])
        await store.statistics.windows("queue", ["default"])
        await census(store, 1000)

    async def queue_list() -> None:
        await store.queues.describe(await store.queues.names())
        await store.statistics.totals("queue", ["default"])
        await store.statistics.windows("queue", ["default"], [5])

    failed = Choice(statuses=frozenset({JobStatus.FAILED}), function="noop")
    return {
        "queue list": queue_list,
        "queue stats (--max-scan 1000)": queue_stats,
        "job list": lambda: store.listing.page(Choice(), limit=20),
        "job list --status failed --function noop": lambda: store.listing.page(failed, limit=20),
        "job list --queue default --limit 200": lambda: store.listing.page(
            Choice(queue="default"), limit=200
        ),
    }


async def milliseconds(look: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        await look()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().most))
