"""What does tracing cost? The same jobs without a backend, and with OpenTelemetry's batch export.

    python benchmarks/telemetry_cost.py
    python benchmarks/telemetry_cost.py --jobs 20000 --rounds 9

By turns, in one run: no tracing plugin installed, all of them installed but nobody has configured
them, all disabled, and rrq-otel exporting every span, or a tenth of the traces, to a collector
that throws them away. Each figure is the median of the ratios to the turn without plugins in the
same round, so that a machine that gets slower meanwhile does not tell. At last, what the parts of
it cost when they run by themselves, and what a job runs through where there is no plugin, as a
share of the processor time that a job of no work took in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig import Rig, children_of, cpu_seconds, rig
from telemetry_sink import collector
from telemetry_stages import cost_without, costs

from rrq import JobRequest
from rrq.telemetry import disable

HERE = Path(__file__).parent
TRACING_PLUGINS = "otel,ddtrace,logfire,prometheus"

WARM_UP_JOBS = 200


@dataclass(frozen=True)
class Mode:
    """One way to run a worker.

    Attributes:
        environment: added to the worker's and its executors'.
        is_traced: whether the jobs come with a producer's trace.
        sampled: the share of those traces that are sampled.
    """

    name: str
    environment: dict[str, str]
    is_traced: bool = False
    sampled: float = 1.0


def modes(endpoint: str) -> list[Mode]:
    exporting = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "RRQ_DISABLED_PLUGINS": "ddtrace,logfire,prometheus",
    }
    return [
        Mode("not installed", {"RRQ_BENCH_HIDE_PLUGINS": TRACING_PLUGINS}),
        Mode("disabled", {"RRQ_DISABLED_PLUGINS": TRACING_PLUGINS}),
        Mode("installed, not configured", {"RRQ_DISABLED_PLUGINS": "prometheus"}),
        Mode("OTel, every job", exporting, is_traced=True),
        Mode("OTel, a tenth", exporting, is_traced=True, sampled=0.1),
    ]


@dataclass(frozen=True)
class Figure:
    """Speed, and the processor time of worker and executors."""

    jobs_per_second: float
    cpu_microseconds: float


async def main(jobs: int, rounds: int) -> None:
    disable()  # This process enqueues without any backend.
    with collector() as endpoint:
        async with rig() as bench:
            for title, function, arguments, count, in_flight in (
                ("jobs of no work", "noop", (), jobs, 32),
                ("jobs of 1 ms of work", "busy", (0.001,), jobs // 10, 4),
                ("jobs that wait 10 ms", "sleep", (0.01,), jobs // 5, 100),
            ):
                figures = await compare(
                    bench, modes(endpoint), function, arguments, count, in_flight, rounds
                )
                report(title, figures)
                if function == "noop":
                    of_a_job = statistics.median(
                        figure.cpu_microseconds for figure in figures["not installed"]
                    )
        print("\nprocessor time of the parts, by themselves")
        parts = costs(endpoint)
        for name, microseconds in {**parts, "together": sum(parts.values())}.items():
            print(f"  {name:32} {microseconds:6.1f} µs a job")
    without = cost_without()
    print(
        f"\nwithout a plugin, for the sake of tracing: {without:.2f} µs a job, "
        f"{without / of_a_job:.2%} of the {of_a_job:.0f} µs that worker and executor take"
    )


async def compare(
    bench: Rig,
    all_modes: list[Mode],
    function: str,
    arguments: tuple[object, ...],
    jobs: int,
    in_flight: int,
    rounds: int,
) -> dict[str, list[Figure]]:
    figures: dict[str, list[Figure]] = {mode.name: [] for mode in all_modes}
    for number in range(rounds + 1):
        for mode in all_modes if number % 2 else reversed(all_modes):
            figure = await turn(bench, mode, function, arguments, jobs, in_flight)
            if number:  # the first round warms up
                figures[mode.name].append(figure)
    return figures


async def turn(
    bench: Rig,
    mode: Mode,
    function: str,
    arguments: tuple[object, ...],
    jobs: int,
    in_flight: int,
) -> Figure:
    """Jobs that wait in a paused queue while the worker starts and runs its first ones."""
    await bench.empty()
    queues = bench.client.job_store.queues
    with environment(mode.environment):
        async with bench.worker(processes=1, in_flight=in_flight) as worker:
            await put_in(bench, mode, WARM_UP_JOBS, "noop", ())
            await bench.until_finished(60)
            await queues.pause("default")
            await put_in(bench, mode, jobs, function, arguments)
            processes = [worker.pid, *children_of(worker.pid)]
            cpu_before = sum(map(cpu_seconds, processes))
            resumed_at = time.time()
            await queues.resume("default")
            await bench.until_finished(300)
            cpu = sum(map(cpu_seconds, processes)) - cpu_before
    times = await bench.times("start_time", "completion_time")
    measured = [(start, end) for start, end in times if start >= resumed_at]
    seconds = max(end for _, end in measured) - min(start for start, _ in measured)
    return Figure(jobs / seconds, 1e6 * cpu / jobs)


async def put_in(
    bench: Rig, mode: Mode, jobs: int, function: str, arguments: tuple[object, ...]
) -> None:
    await bench.client.enqueue_many(
        JobRequest(function, arguments, trace_context=trace_context(mode)) for _ in range(jobs)
    )


def report(title: str, figures: dict[str, list[Figure]]) -> None:
    print(f"\n{title}")
    base = figures["not installed"]
    for name, measured in figures.items():
        speed = statistics.median(figure.jobs_per_second for figure in measured)
        ratios = [
            one.jobs_per_second / other.jobs_per_second
            for one, other in zip(measured, base, strict=True)
        ]
        more = statistics.median(
            one.cpu_microseconds - other.cpu_microseconds
            for one, other in zip(measured, base, strict=True)
        )
        print(
            f"  {name:27} {speed:9,.0f} jobs/s   ratio {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f})   {more:+6.1f} µs of processor a job"
        )


def trace_context(mode: Mode) -> dict[str, str] | None:
    if not mode.is_traced:
        return None
    flags = "01" if secrets.randbelow(1000) < mode.sampled * 1000 else "00"
    return {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}"}


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    kept = dict(os.environ)
    os.environ.update(variables, PYTHONPATH=str(HERE / "hidden_plugins"))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(main(options.jobs, options.rounds))
