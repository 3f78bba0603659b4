"""What is measured of a library: each measure is a function that takes a `Bench`.

All of them count stored results in Redis, or read what handlers noted in the ledger: nothing is
asked of the library itself.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from peers.environments import BENCHMARKS, PeerFailed, last_line, python_of, surroundings
from peers.processes import kill_tree, proportional_memory_mb, started, tree
from rrq.embedded import EmbeddedRedis

MARK_SECONDS = 3.0
"""How long a job of the test of recovery takes."""


@dataclass
class Extent:
    """How much is done of each measure.

    Attributes:
        start_seconds: how long a worker may take until it has done its first job.
        run_seconds: what is not begun by then, of the whole run, is left out.
    """

    jobs: int = 50_000
    start_seconds: float = 20.0
    run_seconds: float = 1140.0
    enqueue_seconds: float = 2.0
    fill_seconds: float = 6.0
    throughput_seconds: float = 8.0
    samples: int = 200
    waiting_jobs: int = 2_000
    waiting_limit_seconds: float = 25.0
    marked_jobs: int = 50
    recovery_seconds: float = 60.0


@dataclass
class Bench:
    """One library on a server of its own.

    Attributes:
        name: of its module in this folder.
        reliability: "default" or "tuned", see `work.IS_TUNED`; empty where it does not matter.
    """

    name: str
    server: EmbeddedRedis
    folder: Path
    extent: Extent
    reliability: str = ""
    described: dict[str, Any] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def call(self, verb: str, *words: object, limit_seconds: float = 60) -> Any:
        """What the library's module answers to a verb.

        Raises:
            PeerFailed: it ended with an error, or took too long.
        """
        try:
            ended = subprocess.run(
                [*self._module, verb, *map(json.dumps, words)],
                **self._options(),
                check=True,
                capture_output=True,
                timeout=limit_seconds,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise PeerFailed(f"{verb}: {last_line(error)}") from error
        return json.loads(ended.stdout.splitlines()[-1])

    @contextmanager
    def worker(
        self, processes: int, in_flight: int = 0, *, are_short: bool = True
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A worker; it and its children are killed in the end."""
        needs = {
            "BENCH_PROCESSES": str(processes),
            "BENCH_IN_FLIGHT": str(in_flight),
            "BENCH_SHORT": str(int(are_short)),
        }
        with (self.folder / "worker.log").open("ab") as log:
            worker = started(
                [*self._module, "worker"],
                **self._options(needs),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield worker
        finally:
            kill_tree(worker)

    @contextmanager
    def trickle(self, seconds: float) -> Iterator[None]:
        """A job a second is put in meanwhile."""
        producer = started(
            [*self._module, "trickle", json.dumps(seconds)],
            **self._options(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            kill_tree(producer)

    def empty(self) -> None:
        """Forget all jobs, and what handlers noted."""
        with self._redis(0) as redis:
            redis.execute_command("FLUSHALL", "SYNC")
        self.ledger.unlink(missing_ok=True)

    @contextmanager
    def stored_of(self, jobs: int) -> Iterator[Callable[[], int]]:
        """How many results are stored by now, of so many jobs."""
        with self._redis(self.described["results_database"]) as redis:

            def stored() -> int:
                count = int(redis.eval(self.described["results"], 0))
                return jobs - count if self.described["counts_left"] else count

            yield stored

    def notes(self, kind: str) -> list[list[str]]:
        """The lines of one kind in the ledger, without the kind."""
        if not self.ledger.exists():
            return []
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return [words for first, *words in lines if first == kind]

    def wait_for(self, met: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition.

        Raises:
            PeerFailed: it was not met in time.
        """
        until = time.monotonic() + seconds
        while not met():
            if time.monotonic() > until:
                said = (self.folder / "worker.log").read_text(errors="replace").strip()
                last = said.splitlines()[-1][:160] if said else "nothing"
                raise PeerFailed(f"{what} not within {seconds:g} s; the worker's last line: {last}")
            time.sleep(0.005)

    @property
    def _module(self) -> list[str]:
        return [str(python_of(self.name)), "-m", "peers", self.name]

    def _options(self, more: dict[str, str] | None = None) -> dict[str, Any]:
        settings = {
            "BENCH_REDIS": self.server.dsn.removesuffix("/0"),
            "BENCH_LEDGER": str(self.ledger),
            "BENCH_RELIABILITY": self.reliability,
            **(more or {}),
        }
        return {"env": surroundings(settings), "cwd": BENCHMARKS}

    @contextmanager
    def _redis(self, database: int) -> Iterator[Redis]:
        url = f"{self.server.dsn.removesuffix('/0')}/{database}"
        with contextlib.closing(Redis.from_url(url)) as redis:
            yield redis


@contextmanager
def bench(name: str, extent: Extent, reliability: str = "") -> Iterator[Bench]:
    """A library on a fresh server.

    Raises:
        PeerFailed: its environment cannot be made, or its module not be started.
    """
    python_of(name)
    with EmbeddedRedis(tcp=True) as server, tempfile.TemporaryDirectory() as folder:
        ready = Bench(name, server, Path(folder), extent, reliability)
        ready.described = ready.call("describe")
        yield ready


# -- the measures -----------------------------------------------------------------------


def enqueue_rates(bench: Bench) -> dict[str, float | None]:
    """Jobs a second, put in one after the other, and in bulk if the library offers that."""
    extent = bench.extent
    rates: dict[str, float | None] = {}
    for verb in ("singles", "bulk"):
        bench.empty()
        done = bench.call(verb, extent.jobs, extent.enqueue_seconds)
        rates[verb] = done and done["jobs"] / done["seconds"]
    return rates


def throughput(bench: Bench, processes: int) -> float:
    """No-op jobs a second: from the first tenth of the results, when all processes are at work,
    to the last result, or until the time is over."""
    extent = bench.extent
    bench.empty()
    jobs = bench.call("fill", "noop", extent.jobs, 0, extent.fill_seconds)["jobs"]
    with bench.stored_of(jobs) as stored, bench.worker(processes):
        bench.wait_for(lambda: stored() >= 1, extent.start_seconds, "the first result")
        warm_until = time.monotonic() + 1
        while stored() < jobs / 10 and time.monotonic() < warm_until:
            time.sleep(0.002)
        first, began = stored(), time.perf_counter()
        last = first
        while last < jobs and time.perf_counter() - began < extent.throughput_seconds:
            time.sleep(0.002)
            last = stored()
        seconds = time.perf_counter() - began
    if last <= first:
        raise PeerFailed(f"no result came in {seconds:.1f} s after the first {first}")
    return (last - first) / seconds


def idle_worker(bench: Bench) -> dict[str, float]:
    """Start latency on an idle worker in milliseconds, and its memory afterwards in megabytes."""
    extent = bench.extent
    bench.empty()
    with bench.worker(1) as worker:
        bench.call("samples", 1)
        bench.wait_for(lambda: bool(bench.notes("stamp")), extent.start_seconds, "the first job")
        time.sleep(1)
        wanted = len(bench.notes("stamp")) + extent.samples
        bench.call("samples", extent.samples)
        bench.wait_for(
            lambda: len(bench.notes("stamp")) >= wanted, extent.start_seconds, "the last job"
        )
        delays = [1000 * float(seconds) for [seconds] in bench.notes("stamp")][1:]
        memory_mb = sum(map(proportional_memory_mb, tree(worker.pid)))
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "memory_mb": memory_mb}


def _has_notes(bench: Bench, kind: str, wanted: int) -> bool:
    return len(bench.notes(kind)) >= wanted


def waiting_jobs(bench: Bench) -> float | None:
    """Seconds for jobs that wait for 100 ms each, 100 at a time; None if it is not offered."""
    if bench.described["one_at_a_time"]:
        return None
    extent = bench.extent
    bench.empty()
    jobs = extent.waiting_jobs
    bench.call("fill", "sleep", jobs, 0.1, 60)
    with bench.stored_of(jobs) as stored, bench.worker(1, 100, are_short=False):
        bench.wait_for(lambda: stored() >= 1, extent.start_seconds, "the first result")
        began = time.perf_counter()
        bench.wait_for(lambda: stored() >= jobs, extent.waiting_limit_seconds, "the last result")
        # The first result came after the first wait.
        return time.perf_counter() - began + 0.1


def recovery(bench: Bench) -> dict[str, float | None]:
    """Of the jobs that ran when their worker was killed, how many run again on its successor,
    and after how many seconds the first and the last of them start."""
    extent = bench.extent
    alone = bench.described["one_at_a_time"]
    jobs = min(extent.marked_jobs, 8) if alone else extent.marked_jobs
    size = (jobs, 1) if alone else (1, jobs)
    bench.empty()
    bench.call("fill", "mark", jobs, MARK_SECONDS, 30)
    with bench.worker(*size, are_short=False) as worker:
        bench.wait_for(
            # Several libraries start at the same time in this test.
            lambda: len(bench.notes("start")) >= jobs,
            3 * extent.start_seconds,
            f"{jobs} running jobs",
        )
        running = {number for number, _ in bench.notes("start")}
        running -= {number for number, _ in bench.notes("end")}
        kill_tree(worker)
        killed_at = time.time()
    with bench.worker(*size, are_short=False), bench.trickle(extent.recovery_seconds):
        until = time.monotonic() + extent.recovery_seconds
        back: dict[str, float] = {}
        while time.monotonic() < until and len(back) < len(running):
            time.sleep(0.1)
            for number, at in bench.notes("start"):
                if float(at) > killed_at and number in running:
                    back.setdefault(number, float(at) - killed_at)
    return {
        "running": len(running),
        "back": len(back),
        "first_seconds": min(back.values(), default=None),
        "last_seconds": max(back.values(), default=None),
    }
