"""How soon are jobs back after `kill -9`, of a worker and of an executor?

    python benchmarks/after_a_kill.py            # three quarters of a minute

Fifty jobs run when it happens. What is printed is how long after the kill the last of them
started again: on a second worker, which is there already, with the default lease of 10 seconds;
and on the process that takes the dead executor's place.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rig import Rig, children_of, leave_out_plugins, report, rig

JOBS = 50
JOB_SECONDS = 3.0


async def main(limit_seconds: float) -> None:
    async with rig() as bench:
        await killed_executor(bench, limit_seconds)
        await killed_worker(bench, limit_seconds)


async def killed_executor(bench: Rig, limit_seconds: float) -> None:
    """The executor's process dies; the worker lives."""
    await bench.empty()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        async with bench.worker(processes=1, in_flight=JOBS) as worker:
            await bench.enqueue("mark", JOBS, str(ledger), JOB_SECONDS)
            await until(lambda: len(starts(ledger)) == JOBS, limit_seconds)
            for child in children_of(worker.pid):
                os.kill(child, signal.SIGKILL)
            await restarted(ledger, time.time(), limit_seconds, "an executor")


async def killed_worker(bench: Rig, limit_seconds: float) -> None:
    """A worker dies with its executors; another one has nothing to do."""
    await bench.empty()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger"
        async with bench.worker(processes=1, in_flight=JOBS) as first:
            await bench.enqueue("mark", JOBS, str(ledger), JOB_SECONDS)
            await until(lambda: len(starts(ledger)) == JOBS, limit_seconds)
            async with bench.worker(processes=1, in_flight=JOBS):
                first.kill()
                await restarted(ledger, time.time(), limit_seconds, "a worker")


async def restarted(ledger: Path, killed_at: float, limit_seconds: float, what: str) -> None:
    """Wait until every job has started twice, and say how long that took."""
    await until(lambda: len(starts(ledger)) >= 2 * JOBS, limit_seconds)
    times = sorted(at for at in starts(ledger) if at > killed_at)
    report(f"{JOBS} jobs back after kill -9 of {what}: first", times[0] - killed_at, "s")
    report("  the last", times[-1] - killed_at, "s")


def starts(ledger: Path) -> list[float]:
    """When jobs started, in seconds since the epoch."""
    if not ledger.exists():
        return []
    return [float(line.split()[1]) for line in ledger.read_text().splitlines()]


async def until(met: Callable[[], bool], limit_seconds: float) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it was not met in time.
    """
    async with asyncio.timeout(limit_seconds):
        while not met():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    leave_out_plugins()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=float, default=30.0, help="seconds to wait at most")
    asyncio.run(main(parser.parse_args().limit))
