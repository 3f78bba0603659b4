"""Where does the time of a job go? Processor time by stage, in a run of a few seconds.

    python benchmarks/where_time_goes.py
    python benchmarks/where_time_goes.py --in-flight 1 --lines 12    # and the busiest functions

The orchestrator runs in this process and is looked at once in a millisecond of its processor
time: each look counts for the stage of the innermost function that belongs to one. What the
executors and Redis use is what the kernel says of their processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rig import HERE, Rig, leave_out_plugins, rig

from rrq.orchestrator.worker import Worker
from rrq.plugins import load_plugins
from rrq.settings import ExecutorConfig

STAGES = (
    ("decode", ("/rrq/store/claim.py",)),
    ("settle", ("/rrq/store/leases.py:settle", "/rrq/orchestrator/settlement.py")),
    ("claim", ("/rrq/store/leases.py", "/rrq/orchestrator/intake.py")),
    ("route", ("/rrq/orchestrator/routing.py",)),
    ("pipe", ("/rrq_executor_stdio/", "/rrq_executor_python/", "/rrq/protocol.py")),
    (
        "dispatch",
        (
            "/rrq/orchestrator/dispatch.py",
            "/rrq/orchestrator/holdings.py",
            "/rrq/orchestrator/deadlines.py",
            "/rrq/orchestrator/lane.py",
            "/rrq/orchestrator/decision.py",
        ),
    ),
    ("event loop", (str(Path(asyncio.__file__).parent), "/selectors.py")),
)
"""Which functions belong to a stage, by parts of `file:function`."""

REST = "rest"
LOOK_SECONDS = 0.001


async def main(jobs: int, processes: int, in_flight: int, lines: int) -> None:
    async with rig() as bench:
        await bench.enqueue("noop", jobs)
        worker = a_worker(bench, processes, in_flight)
        redis_before = await bench.redis_cpu_seconds()
        looks = Looks()
        began, own_before, theirs_before = time.perf_counter(), cpu(own=True), cpu(own=False)
        with looks.taken():
            await worker.run()
        wall_seconds = time.perf_counter() - began
        own_seconds = cpu(own=True) - own_before
        executor_seconds = cpu(own=False) - theirs_before
        redis_seconds = await bench.redis_cpu_seconds() - redis_before
        if await bench.unfinished():
            raise RuntimeError("the worker ended before its jobs")
    print(f"{jobs:,} no-op jobs, {processes} executor process(es), {in_flight} in flight each")
    print(f"{wall_seconds:.2f} s, the start of the executors included\n")
    print(f"{'processor time':<24}{'µs a job':>10}{'share':>8}")
    total = sum(looks.stages.values()) or 1
    names = [name for name, _ in STAGES] + [REST]
    for name in sorted(names, key=lambda name: -looks.stages[name]):
        share = looks.stages[name] / total
        print(f"{'  ' + name:<24}{1e6 * share * own_seconds / jobs:>10.1f}{share:>8.0%}")
    for name, seconds in (
        ("orchestrator", own_seconds),
        ("executors, and start", executor_seconds),
        ("Redis", redis_seconds),
    ):
        print(f"{name:<24}{1e6 * seconds / jobs:>10.1f}")
    if lines:
        print("\nthe functions at work most often")
    for place, count in looks.functions.most_common(lines):
        print(f"{count / total:>6.1%}  {place}")


def a_worker(bench: Rig, processes: int, in_flight: int) -> Worker:
    """A worker for this process that ends when its jobs have."""
    executor = ExecutorConfig(
        type="python",
        settings="handlers:settings",
        cwd=str(HERE),
        pool_size=processes,
        max_in_flight=in_flight,
    )
    settings = bench.settings.model_copy(
        update={"executors": {"python": executor}, "default_executor_name": "python"}
    )
    plugins = load_plugins()
    return Worker(settings, plugins, burst=True)


class Looks:
    """What the main thread was doing, each time that it was looked at.

    Attributes:
        stages: how often each stage was met.
        functions: how often each function was the innermost one, as `file:function`.
    """

    def __init__(self) -> None:
        self.stages: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Look while the block runs."""
        before = signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, LOOK_SECONDS, LOOK_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _look(self, _: int, frame: FrameType | None) -> None:
        if frame is not None:
            self.functions[_place(frame)] += 1
        while frame is not None:
            if stage := _stage_of(_place(frame)):
                # The loop is below everything: it counts when nothing else is upon it.
                self.stages[stage] += 1
                return
            frame = frame.f_back
        self.stages[REST] += 1


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_code.co_name}"


def _stage_of(place: str) -> str | None:
    found = _stages.get(place)
    if found is None:
        found = next((name for name, parts in STAGES if any(part in place for part in parts)), "")
        _stages[place] = found
    return found or None


_stages: dict[str, str] = {}


def cpu(*, own: bool) -> float:
    """The processor time of this process, or of its ended children, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF if own else resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    leave_out_plugins()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=40_000, help="how many no-op jobs")
    parser.add_argument("--processes", type=int, default=1, help="executor processes")
    parser.add_argument("--in-flight", type=int, default=32, help="jobs in flight in each")
    parser.add_argument("--lines", type=int, default=0, help="so many functions, too")
    options = parser.parse_args()
    os.environ.pop("RRQ_CONFIG", None)
    asyncio.run(main(options.jobs, options.processes, options.in_flight, options.lines))
