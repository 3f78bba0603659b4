"""`Metrics`: counters, histograms and gauges of jobs and workers, as OpenTelemetry instruments."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

    from rrq.telemetry import Attempt, EnqueuedJob, WorkerGauges

SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
    3600,
)
"""The bounds of the histograms' buckets."""

MOST_SERIES = 2_000
"""Combinations of queue, function and outcome that are told apart; the rest are one."""


class Metrics:
    """The instruments of one process.

    Args:
        own: the provider of a process without an application; None takes the application's,
            as soon as it has one.
    """

    def __init__(self, own: MeterProvider | None = None) -> None:
        self._own = own
        self._lock = Lock()
        self._provider: MeterProvider | None = None
        self._nothing: object = None
        self._enqueued: Counter[tuple[str, str]] = Counter()
        self._finished: Counter[tuple[str, str, str]] = Counter()
        self._gauges: dict[str, WorkerGauges] = {}
        self._wait: Histogram | None = None
        self._run: Histogram | None = None

    def enqueued(self, job: EnqueuedJob) -> None:
        """A producer enqueued a job."""
        if self.is_ready():
            self._count(self._enqueued, (job.queue_name, job.function_name), ("other", "other"))

    def attempt(self, attempt: Attempt) -> None:
        """An attempt ended."""
        if not self.is_ready():
            return
        job, finished = attempt.started, attempt.finished
        key = (job.queue_name, job.function_name, finished.outcome)
        other = ("other", "other", finished.outcome)
        queue, function, outcome = self._count(self._finished, key, other)
        where = {"rrq.queue": queue, "rrq.function": function}
        assert self._wait is not None
        assert self._run is not None
        self._wait.record(job.queue_delay_ms / 1000, where)
        if job.executor_name:
            self._run.record(finished.duration_ms / 1000, {**where, "rrq.outcome": outcome})

    def measured(self, gauges: WorkerGauges) -> None:
        """A worker measured itself."""
        if self.is_ready():
            self._gauges[gauges.worker_id] = gauges

    def stopped(self, worker_id: str) -> None:
        """A worker is gone, and so are its gauges."""
        self._gauges.pop(worker_id, None)

    def _count(self, counter: Counter[Any], key: Any, other: Any) -> Any:
        if key not in counter and len(counter) >= MOST_SERIES:
            key = other
        counter[key] += 1
        return key

    def is_ready(self) -> bool:
        """Whether there is a provider to make instruments with; made at the first time."""
        if self._provider is not None:
            return True
        provider = self._own or self._application_provider()
        if provider is None:
            return False
        with self._lock:
            if self._provider is None:
                from rrq import __version__

                self._make(provider.get_meter("rrq", __version__))
                self._provider = provider
        return True

    def _application_provider(self) -> MeterProvider | None:
        api: Any = sys.modules.get("opentelemetry.metrics")
        if api is None:
            return None
        provider: MeterProvider = api.get_meter_provider()
        if provider is self._nothing:
            return None
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.metrics._internal import _ProxyMeterProvider

        if isinstance(provider, NoOpMeterProvider | _ProxyMeterProvider):
            self._nothing = provider
            return None
        return provider

    def _make(self, meter: Meter) -> None:
        self._wait = _histogram(meter, "rrq.job.wait", "From due to claimed.")
        self._run = _histogram(meter, "rrq.job.duration", "How long an attempt ran.")
        meter.create_observable_counter(
            "rrq.jobs.enqueued", [self._observe_enqueued], "{job}", "Jobs that were enqueued."
        )
        meter.create_observable_counter(
            "rrq.jobs.finished", [self._observe_finished], "{job}", "Attempts, by outcome."
        )
        for name, unit, description, figure in _OF_WORKERS:
            meter.create_observable_gauge(
                name, [self._observing(_by_worker(figure))], unit, description
            )
        for name, unit, description, figures in _OF_PARTS:
            meter.create_observable_gauge(name, [self._observing(figures)], unit, description)
        meter.create_observable_counter(
            "rrq.leases.lost",
            [self._observing(_by_worker(lambda one: one.lost_leases))],
            "{lease}",
            "Leases that went to another worker.",
        )
        meter.create_observable_counter(
            "rrq.jobs.reaped",
            [self._observing(_by_worker(lambda one: one.reaped_jobs))],
            "{job}",
            "Jobs of dead workers that were given back.",
        )

    def _observe_enqueued(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for (queue, function), count in list(self._enqueued.items()):
            yield Observation(count, {"rrq.queue": queue, "rrq.function": function})

    def _observe_finished(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for (queue, function, outcome), count in list(self._finished.items()):
            yield Observation(
                count,
                {"rrq.queue": queue, "rrq.function": function, "rrq.outcome": outcome},
            )

    def _observing(
        self, figures: Callable[[WorkerGauges], Iterable[tuple[float, Mapping[str, str]]]]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(options: CallbackOptions) -> Iterator[Observation]:
            from opentelemetry.metrics import Observation

            for gauges in list(self._gauges.values()):
                for value, attributes in figures(gauges):
                    yield Observation(value, attributes)

        return observe


def _histogram(meter: Meter, name: str, description: str) -> Histogram:
    try:
        return meter.create_histogram(
            name, "s", description, explicit_bucket_boundaries_advisory=SECONDS
        )
    except TypeError:  # Before OpenTelemetry 1.30 the bounds are the provider's affair.
        return meter.create_histogram(name, "s", description)


Figures = Iterable[tuple[float, Mapping[str, str]]]


def _by_worker(figure: Callable[[WorkerGauges], float]) -> Callable[[WorkerGauges], Figures]:
    return lambda one: [(figure(one), {"rrq.worker_id": one.worker_id})]


def _by_queue(figure: Callable[[Any], float]) -> Callable[[WorkerGauges], Figures]:
    return lambda one: [
        (figure(queue), {"rrq.queue": name}) for name, queue in (one.queues or {}).items()
    ]


def _by_executor(figure: Callable[[Any], float]) -> Callable[[WorkerGauges], Figures]:
    return lambda one: [
        (figure(executor), {"rrq.worker_id": one.worker_id, "rrq.executor": name})
        for name, executor in one.executors.items()
    ]


_OF_WORKERS: tuple[tuple[str, str, str, Callable[[WorkerGauges], float]], ...] = (
    ("rrq.workers", "{worker}", "1 for each worker.", lambda one: 1),
    ("rrq.jobs.in_flight", "{job}", "Jobs at executors.", lambda one: one.in_flight),
    ("rrq.worker.capacity", "{job}", "Jobs that it takes at once.", lambda one: one.capacity),
    ("rrq.worker.redis_up", "1", "Whether Redis answers.", lambda one: int(one.is_redis_up)),
)

_OF_PARTS: tuple[tuple[str, str, str, Callable[[WorkerGauges], Figures]], ...] = (
    (
        "rrq.queue.depth",
        "{job}",
        "Jobs in the queue, due or not. Every worker of a queue reports it: take the maximum.",
        _by_queue(lambda one: one.waiting),
    ),
    (
        "rrq.queue.due",
        "{job}",
        "Jobs in the queue that could start. Take the maximum.",
        _by_queue(lambda one: one.due),
    ),
    (
        "rrq.queue.oldest_due_age",
        "s",
        "For how long the first job has been due. Take the maximum.",
        _by_queue(lambda one: one.oldest_due_age_seconds),
    ),
    (
        "rrq.executor.processes",
        "{process}",
        "Processes of an executor that are up.",
        _by_executor(lambda one: one.processes),
    ),
    (
        "rrq.executor.restarts",
        "{process}",
        "Processes of an executor that were replaced.",
        _by_executor(lambda one: one.restarts),
    ),
)
