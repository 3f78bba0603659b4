"""How does RRQ compare? The same work for RRQ and eight other queues, in one run on one machine.

    python benchmarks/against_peers.py --quick           # 5 minutes; the figures are coarse
    python benchmarks/against_peers.py                   # 20 minutes; writes docs/performance.md
    python benchmarks/against_peers.py --only rrq,saq    # some of them; writes nothing

Each library gets an environment with pinned versions below `benchmarks/.peers/`, made when it is
first needed, and a fresh server for its measures. One that fails is shown with its reason, and
holds up nobody: every step has a time limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from peers import page
from peers.environments import CHECKOUT, NAMES, PeerFailed, python_of
from peers.measures import (
    Bench,
    Extent,
    bench,
    enqueue_rates,
    idle_worker,
    recovery,
    throughput,
    waiting_jobs,
)
from peers.processes import kill_all

from rrq.embedded import EmbeddedRedis

QUICK = Extent(
    jobs=3_000,
    run_seconds=270.0,
    start_seconds=10.0,
    enqueue_seconds=0.3,
    fill_seconds=1.5,
    throughput_seconds=2.0,
    samples=30,
    waiting_jobs=300,
    waiting_limit_seconds=6.0,
    recovery_seconds=13.0,
)

RECOVERIES_AT_ONCE = 6
"""Recovery is mostly waiting: this many workers wait beside each other."""

MOST_FAILURES = 2
"""A library of which this many measures failed is not tried further: each costs its time limit."""

Results = dict[str, dict[str, Any]]


def main(names: list[str], extent: Extent) -> dict[str, Any]:
    """Measure these libraries."""
    began = time.monotonic()
    print("making the environments", file=sys.stderr, flush=True)
    failed = made(names)
    # Environments are made once: their time is not the run's.
    start = time.monotonic()
    results: Results = {name: {"failed": {"environment": why}} for name, why in failed.items()}
    whole = [name for name in names if name not in failed]
    for name in whole:
        results[name] = speeds(name, extent, start + 0.7 * extent.run_seconds)
        print(page.line(name, results[name]), flush=True)
    recoveries(whole, extent, results, start + 0.9 * extent.run_seconds)
    return {
        "run": {**circumstances(began), "waiting_jobs": extent.waiting_jobs},
        "results": {name: results[name] for name in names},
    }


def made(names: list[str]) -> dict[str, str]:
    """Make the environments; the reasons of those that cannot be made."""
    failed = {}
    for name in names:
        try:
            python_of(name)
        except PeerFailed as failure:
            failed[name] = str(failure)
    return failed


def speeds(name: str, extent: Extent, until: float) -> dict[str, Any]:
    """All measures of one library that want the machine for themselves."""
    found: dict[str, Any] = {"failed": {}}
    try:
        with bench(name, extent) as ready:
            found["described"] = ready.described
            for measure, taken in (
                ("enqueue", enqueue_rates),
                ("one_process", partial(throughput, processes=1)),
                ("two_processes", partial(throughput, processes=2)),
                ("idle", idle_worker),
                ("waiting_seconds", waiting_jobs),
            ):
                if len(found["failed"]) < MOST_FAILURES:
                    attempt(found, measure, taken, ready, until)
    except Exception as error:
        found["failed"]["start"] = reason(error)
    return found


def recoveries(names: list[str], extent: Extent, results: Results, until: float) -> None:
    """The test of recovery, of several libraries at a time."""
    print("killing workers and waiting for their jobs", file=sys.stderr, flush=True)

    def recovered(name: str, reliability: str) -> None:
        try:
            with bench(name, extent, reliability) as ready:
                attempt(results[name], f"recovery_{reliability}", recovery, ready, until)
        except Exception as error:
            results[name]["failed"][f"recovery_{reliability}"] = reason(error)

    with ThreadPoolExecutor(RECOVERIES_AT_ONCE) as pool:
        for reliability in ("default", "tuned"):
            for name in names:
                pool.submit(recovered, name, reliability)


def attempt(
    found: dict[str, Any],
    measure: str,
    taken: Callable[[Bench], Any],
    ready: Bench,
    until: float,
) -> None:
    """One measure, or why there is none; begun before `until` (monotonic seconds) or not at all."""
    if time.monotonic() > until:
        found["failed"][measure] = "not begun, the time of the run was over"
        return
    try:
        found[measure] = taken(ready)
    except Exception as error:
        found["failed"][measure] = reason(error)


def reason(error: Exception) -> str:
    """What went wrong, for the page."""
    return str(error) if isinstance(error, PeerFailed) else f"{type(error).__name__}: {error}"


def circumstances(began: float) -> dict[str, Any]:
    """Where, when and how all this was measured."""
    with EmbeddedRedis(tcp=True) as server:
        version = server.version()
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python", "benchmarks/against_peers.py", *sys.argv[1:]]),
        "machine": f"{len(models)} × {models[0] if models else platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "server": version,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }


def ended(number: int, _: object) -> None:
    """Somebody ends the run: leave no worker behind."""
    kill_all()
    os._exit(128 + number)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="coarse figures in five minutes")
    parser.add_argument("--jobs", type=int, help="no-op jobs, at most; default 50,000")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there")
    parser.add_argument(
        "--page",
        metavar="FILE",
        type=Path,
        help="write table and chart between the marks in this page; without --only and --quick "
        "it is docs/performance.md",
    )
    parser.add_argument("--from-json", metavar="FILE", type=Path, help="measure nothing")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else list(NAMES)
    if unknown := set(chosen) - set(NAMES):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}; there are {NAMES}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ended)
    if options.from_json:
        measured = json.loads(options.from_json.read_text())
    else:
        wanted = QUICK if options.quick else Extent()
        if options.jobs:
            wanted.jobs = options.jobs
        measured = main(chosen, wanted)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1))
    target = options.page
    if target is None and not (options.only or options.quick):
        target = CHECKOUT / "docs/performance.md"
    print(page.table(measured))
    if target:
        page.write(target, measured)
        print(f"wrote {target}", file=sys.stderr)
