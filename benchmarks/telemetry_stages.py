"""What does each part of tracing a job cost? Processor time by stage, in this one process.

    python benchmarks/telemetry_stages.py

What a worker and an executor do for rrq-otel with one job that succeeds, part by part, and what
they do for the sake of tracing where no backend is. Every span goes to a collector that throws it
away.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from msgspec import Raw
from opentelemetry.sdk.trace import TracerProvider

from rrq import telemetry
from rrq.orchestrator.job_telemetry import JobTelemetry
from rrq.orchestrator.worker_telemetry import WorkerTelemetry
from rrq.protocol import ExecutionContext, ExecutionOutcome, ExecutionRequest
from rrq.settings import RRQSettings
from rrq.store.claim import Claim
from rrq.store.verdict import Verdict
from rrq.telemetry import FanOut

JOBS = 1_000
"""In a round: fewer than a batch of spans, so that each is sent when it is looked at."""

ROUNDS = 31


def costs(endpoint: str) -> dict[str, float]:
    """Microseconds of processor time a job with rrq-otel, by stage: the best of many rounds, which
    other work on the machine touches least."""
    with exporting(endpoint) as (fan_out, traces):
        return {**of_worker(fan_out, traces), **of_executor(fan_out, traces)}


def cost_without() -> float:
    """Microseconds of processor time a job where no backend is active.

    The producer and the executor ask whether one is, and the worker looks at three fields.
    """
    telemetry.disable()
    settings = RRQSettings()
    worker, held = Empty(), Empty()

    def ask() -> None:
        telemetry.producer_telemetry(settings)
        telemetry.get_telemetry()
        if worker.telemetry and held.run:
            raise AssertionError
        if held.run and worker.telemetry:
            raise AssertionError
        if held.run and worker.telemetry:
            raise AssertionError

    def nothing() -> None:
        pass

    asking = microseconds(lambda: repeat(ask))
    return max(0.0, asking - microseconds(lambda: repeat(nothing)))


class Empty:
    """As dispatch and a job of it, where no backend is."""

    telemetry: object = None
    run: object = None


def repeat(call: Callable[[], None]) -> None:
    for _ in range(JOBS):
        call()


def of_worker(fan_out: FanOut, traces: TracerProvider) -> dict[str, float]:
    jobs = JobTelemetry(WorkerTelemetry(fan_out, "rrq_worker_1"), "rrq_worker_1")
    claims = [claim(number) for number in range(JOBS)]
    verdict = Verdict(job_id="", token=1, kind="complete", queue="default")
    outcome = ExecutionOutcome(job_id="", status="success")

    def loop() -> None:
        for one in claims:
            run = jobs.began(one, "python")
            assert run is not None
            jobs.ended(run, verdict, None, outcome, 0.001)
            jobs.settled(run, "complete")

    def send() -> None:
        traces.force_flush()

    return stages({"worker: event loop": loop, "worker: sending": send})


def of_executor(fan_out: FanOut, traces: TracerProvider) -> dict[str, float]:
    requests = [request(number) for number in range(JOBS)]

    def run() -> None:
        for one in requests:
            if not fan_out.is_idle():
                with fan_out.execution(one, "default") as spans:
                    for told in spans.told:
                        told.stopped_by = None

    def send() -> None:
        traces.force_flush()

    return stages({"executor: event loop": run, "executor: sending": send})


def stages(calls: dict[str, Callable[[], None]]) -> dict[str, float]:
    """What each call takes a job; they are made one after the other, again and again."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            found[name].append(once(call))
    return {name: min(values) for name, values in found.items()}


def microseconds(call: Callable[[], None]) -> float:
    return min(once(call) for _ in range(ROUNDS))


def once(call: Callable[[], None]) -> float:
    before = time.process_time()
    call()
    return 1e6 * (time.process_time() - before) / JOBS


def claim(number: int) -> Claim:
    return Claim(
        job_id=str(uuid4()),
        function_name="noop",
        queue="default",
        queue_name="default",
        token=number + 1,
        attempt=1,
        max_retries=3,
        timeout_seconds=300.0,
        claimed_ms=1_700_000_000_123,
        due_ms=1_700_000_000_000,
        enqueue_time="2026-01-01T00:00:00+00:00",
        trace_context=trace_context(),
        args=Raw(b"[]"),
        kwargs=Raw(b"{}"),
    )


def request(number: int) -> ExecutionRequest:
    job_id = str(uuid4())
    return ExecutionRequest(
        job_id=job_id,
        function_name="noop",
        context=ExecutionContext(
            job_id=job_id,
            attempt=1,
            enqueue_time="2026-01-01T00:00:00+00:00",
            queue_name="rrq:queue:default",
            worker_id="rrq_worker_1",
            lease_token=number + 1,
            trace_context=trace_context(),
        ),
    )


def trace_context() -> Raw:
    one, other = uuid4().hex, uuid4().hex
    return Raw(f'{{"traceparent":"00-{one}-{other[:16]}-01"}}'.encode())


@contextmanager
def exporting(endpoint: str) -> Iterator[tuple[FanOut, TracerProvider]]:
    """rrq-otel as a worker or an executor has it, sending to this address."""
    os.environ.update(
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_BSP_SCHEDULE_DELAY="3600000",
        OTEL_METRIC_EXPORT_INTERVAL="3600000",
    )
    from rrq_otel.backend import OTelTelemetry
    from rrq_otel.sdk import set_up

    own = set_up("rrq")
    assert own.traces
    assert own.metrics
    yield FanOut([OTelTelemetry(own)]), own.traces
    own.traces.shutdown()
    own.metrics.shutdown()


if __name__ == "__main__":
    from telemetry_sink import collector

    with collector() as address:
        found = costs(address)
    for name, value in {**found, "together": sum(found.values())}.items():
        print(f"{name:32} {value:6.1f} µs a job")
    print(f"{'without a backend':32} {cost_without():6.2f} µs a job")
