"""`Metrics`: a worker's jobs, queues and executors for Prometheus, and whether it is well."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from rrq.telemetry import Telemetry
from rrq_prometheus import health

if TYPE_CHECKING:
    from rrq.telemetry import Attempt, WorkerGauges
    from rrq_prometheus.server import Server

WAIT_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
RUN_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)

MOST_FUNCTIONS = 1000
OTHERS = "(others)"

logger = logging.getLogger("rrq.prometheus")

RAN = ("success", "retry", "dlq", "timeout")
"""Of attempts that ended so the run time is counted: the others were cut off."""


class Metrics(Telemetry):
    """The backend of one worker.

    Args:
        ready_within_seconds: how recent the last claim of a ready worker is.

    Attributes:
        registry: what a scrape reads.
        server: what answers; closed when the worker has stopped.
    """

    name = "prometheus"
    wants_queues = True

    def __init__(self, *, ready_within_seconds: float) -> None:
        self.registry = CollectorRegistry()
        self.server: Server | None = None
        self._ready_within_seconds = ready_within_seconds
        self._gauges: WorkerGauges | None = None
        self._has_stopped = False
        self._began = time.monotonic()
        self._functions: set[str] = set()
        labels = ("queue", "function")
        self._attempts = Counter(
            "rrq_attempts",
            "Attempts of jobs that ended, by what became of them.",
            (*labels, "outcome"),
            registry=self.registry,
        )
        self._wait = Histogram(
            "rrq_job_wait_seconds",
            "From when a job was due to when it was claimed.",
            labels,
            buckets=WAIT_BUCKETS,
            registry=self.registry,
        )
        self._run = Histogram(
            "rrq_job_run_seconds",
            "How long an attempt took that came to its end.",
            labels,
            buckets=RUN_BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_Measured(self))

    # -- what the worker tells --------------------------------------------------------------

    def attempt(self, attempt: Attempt) -> None:
        started, finished = attempt.started, attempt.finished
        labels = (started.queue_name, self._counted(started.function_name))
        self._attempts.labels(*labels, finished.outcome).inc()
        self._wait.labels(*labels).observe(started.queue_delay_ms / 1000)
        if finished.outcome in RAN:
            self._run.labels(*labels).observe(finished.duration_ms / 1000)

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        if self.server:
            where = self.server.address
            logger.info("Metrics at http://%s/metrics, health at /healthz and /readyz", where)

    def heartbeat(self, gauges: WorkerGauges) -> None:
        self._gauges = gauges

    def worker_stopped(self, worker_id: str) -> None:
        self._has_stopped = True

    def flush(self, timeout_seconds: float) -> None:
        if self.server:
            self.server.stop()

    # -- what the server asks ---------------------------------------------------------------

    def why_not_alive(self) -> str | None:
        """What is wrong with the process; None if it lives."""
        return health.why_not_alive(self._gauges, time.time_ns(), time.monotonic() - self._began)

    def why_not_ready(self) -> str | None:
        """Why the worker cannot take work now; None if it can."""
        if self._has_stopped:
            return "the worker has stopped"
        return self.why_not_alive() or health.why_not_ready(
            self._gauges, self._ready_within_seconds
        )

    def measured(self) -> WorkerGauges | None:
        """The last measurement."""
        return self._gauges

    def _counted(self, function_name: str) -> str:
        if function_name not in self._functions:
            if len(self._functions) >= MOST_FUNCTIONS:
                return OTHERS
            self._functions.add(function_name)
        return function_name


class _Measured:
    """The gauges, as the worker last measured them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        gauges = self._metrics.measured()
        ready = 0 if self._metrics.why_not_ready() else 1
        yield GaugeMetricFamily("rrq_worker_ready", "Whether the worker can take work.", ready)
        if gauges is None:
            return
        yield from _of_worker(gauges)
        yield from _of_executors(gauges)
        yield from _of_queues(gauges)


def _of_worker(gauges: WorkerGauges) -> Iterator[Metric]:
    info = GaugeMetricFamily("rrq_worker_info", "Which worker this is.", labels=["worker_id"])
    info.add_metric([gauges.worker_id], 1)
    yield info
    capacity = gauges.capacity
    for name, text, value in (
        ("in_flight", "Jobs at executors.", gauges.in_flight),
        ("capacity", "Jobs that the executors take at once.", capacity),
        ("busy_ratio", "In flight by capacity.", gauges.in_flight / capacity if capacity else 1.0),
        ("redis_up", "Whether the last call to Redis succeeded.", int(gauges.is_redis_up)),
        (
            "last_claim_age_seconds",
            "Since Redis last answered a claim.",
            gauges.last_claim_age_seconds,
        ),
        (
            "last_settle_age_seconds",
            "Since a verdict was last settled.",
            gauges.last_settle_age_seconds,
        ),
    ):
        yield GaugeMetricFamily(f"rrq_worker_{name}", text, value)
    for name, text, value in (
        ("lost_leases", "Leases of its own that went to another worker.", gauges.lost_leases),
        ("reaped_jobs", "Jobs of dead workers that it gave back.", gauges.reaped_jobs),
    ):
        yield CounterMetricFamily(f"rrq_worker_{name}", text, value)
    jobs = CounterMetricFamily(
        "rrq_worker_jobs", "Jobs since the worker started, exactly.", labels=["outcome"]
    )
    for outcome, count in gauges.counts.items():
        jobs.add_metric([outcome], count)
    yield jobs


def _of_executors(gauges: WorkerGauges) -> Iterator[Metric]:
    for name, text in (
        ("in_flight", "Requests at an executor."),
        ("capacity", "Requests that an executor takes at once."),
        ("processes", "Processes of an executor."),
    ):
        family = GaugeMetricFamily(f"rrq_executor_{name}", text, labels=["executor"])
        for executor, figures in gauges.executors.items():
            family.add_metric([executor], getattr(figures, name))
        yield family
    restarts = CounterMetricFamily(
        "rrq_executor_restarts", "Processes that were replaced.", labels=["executor"]
    )
    for executor, figures in gauges.executors.items():
        restarts.add_metric([executor], figures.restarts)
    yield restarts


def _of_queues(gauges: WorkerGauges) -> Iterator[Metric]:
    for name, text, attribute in (
        ("waiting", "Jobs in a queue, due or not.", "waiting"),
        ("due", "Jobs that could start now: the backlog.", "due"),
        (
            "oldest_due_age_seconds",
            "For how long the first of them has been due.",
            "oldest_due_age_seconds",
        ),
        ("paused", "Whether the queue is paused.", "is_paused"),
    ):
        family = GaugeMetricFamily(f"rrq_queue_{name}", text, labels=["queue"])
        for queue, figures in (gauges.queues or {}).items():
            family.add_metric([queue], float(getattr(figures, attribute)))
        yield family
