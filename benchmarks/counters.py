"""What do the statistics and the history cost that the atomic steps keep?

    python benchmarks/counters.py
    python benchmarks/counters.py --jobs 20000 --rounds 9

The same work is done by turns with the steps as they are and with steps that count nothing and
remember no end: the functions of their fragments `_tally` and `_history` are emptied, for this
process and for the workers that it starts. Each figure is the median of the ratios of
neighbouring turns, so that a machine that gets slower meanwhile does not tell.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rig import Rig, ceiling_jobs_per_second, leave_out_plugins, rig

from rrq.store import scripts

EMPTIED = {
    "_tally": ("tally_of", "note_event", "note_time", "tally", "write_tallies"),
    "_history": ("ends_of", "note_end", "remember_end", "write_history"),
}
"""By fragment, the functions that do nothing there; a name that it does not have is an error."""

Turn = Callable[[Rig, int], Awaitable[dict[str, float]]]


async def main(jobs: int, rounds: int) -> None:
    async with rig() as bench:
        for turn in (steps_alone, one_by_one, through_a_worker):
            report(await compare(turn, bench, jobs, rounds))


async def compare(turn: Turn, bench: Rig, jobs: int, rounds: int) -> dict[str, list[float]]:
    """The ratio with/without of each figure that a turn gives, for each round."""
    ratios: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        kept: dict[str, float] = {}
        bare: dict[str, float] = {}
        # By turns, and the other way round each time.
        for is_bare in (True, False) if number % 2 else (False, True):
            with steps(without_counters=is_bare):
                (bare if is_bare else kept).update(await turn(bench, jobs))
        if number:  # the first round warms up
            for name, figure in kept.items():
                ratios.setdefault(name, []).append(figure / bare[name])
    return ratios


async def steps_alone(bench: Rig, jobs: int) -> dict[str, float]:
    before = await bench.redis_cpu_seconds()
    speed = await ceiling_jobs_per_second(bench, jobs)
    cpu = await bench.redis_cpu_seconds() - before
    return {
        "claim + settle, 50 jobs a call: jobs/s": speed,
        "enqueue_many + claim + settle: processor time of Redis": cpu,
    }


async def one_by_one(bench: Rig, jobs: int) -> dict[str, float]:
    await bench.empty()
    before = await bench.redis_cpu_seconds()
    for _ in range(jobs // 5):
        await bench.client.enqueue("noop")
    return {
        "enqueue, one by one: processor time of Redis": await bench.redis_cpu_seconds() - before
    }


async def through_a_worker(bench: Rig, jobs: int) -> dict[str, float]:
    await bench.empty()
    await bench.enqueue("noop", jobs)
    before = await bench.redis_cpu_seconds()
    async with bench.worker(processes=1, in_flight=32, burst=True) as worker:
        await asyncio.to_thread(worker.wait)
    cpu = await bench.redis_cpu_seconds() - before
    times = await bench.times("start_time", "completion_time")
    seconds = max(end for _, end in times) - min(start for start, _ in times)
    return {
        "worker, 1 process, 32 in flight: jobs/s": jobs / seconds,
        "worker, 1 process, 32 in flight: processor time of Redis": cpu,
    }


@contextmanager
def steps(*, without_counters: bool) -> Iterator[None]:
    """The steps of this process, and of the workers that the rig starts, with or without."""
    launcher = Path(__file__).with_name("worker_without_counters.py")
    command = [sys.executable, str(launcher)]
    read = scripts._read
    scripts._source.cache_clear()
    if without_counters:
        scripts._read = lambda name: "\n".join(
            [read(name), *(f"{one} = function() end" for one in EMPTIED.get(name, ()))]
        )
        Rig.worker_command = command
    try:
        yield
    finally:
        scripts._read = read
        scripts._source.cache_clear()
        Rig.worker_command = [sys.executable, "-m", "rrq"]


def report(ratios: dict[str, list[float]]) -> None:
    for name, values in ratios.items():
        low, high = min(values), max(values)
        print(f"{name:<62} {statistics.median(values):5.2f} ×  ({low:.2f} … {high:.2f})")


if __name__ == "__main__":
    leave_out_plugins()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.jobs, arguments.rounds))
