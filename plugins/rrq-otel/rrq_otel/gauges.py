"""What a worker measures of itself, as the gauges and counters that OpenTelemetry observes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

    from rrq.telemetry import WorkerGauges

Figures = Iterable[tuple[float, Mapping[str, str]]]
"""Values of one instrument, with their attributes."""


def observe_workers(meter: Meter, workers: Mapping[str, WorkerGauges]) -> None:
    """Make the instruments.

    Args:
        workers: what each worker of this process measured last; read at each collection.
    """

    def observing(
        figures: Callable[[WorkerGauges], Figures],
    ) -> list[Callable[[CallbackOptions], Iterable[Observation]]]:
        def observe(options: CallbackOptions) -> Iterator[Observation]:
            from opentelemetry.metrics import Observation

            for gauges in list(workers.values()):
                for value, attributes in figures(gauges):
                    yield Observation(value, attributes)

        return [observe]

    for name, unit, description, figures in _GAUGES:
        meter.create_observable_gauge(name, observing(figures), unit, description)
    for name, unit, description, figures in _COUNTERS:
        meter.create_observable_counter(name, observing(figures), unit, description)


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


_COUNTERS: tuple[tuple[str, str, str, Callable[[WorkerGauges], Figures]], ...] = (
    (
        "rrq.leases.lost",
        "{lease}",
        "Leases that went to another worker.",
        _by_worker(lambda one: one.lost_leases),
    ),
    (
        "rrq.jobs.reaped",
        "{job}",
        "Jobs of dead workers that were given back.",
        _by_worker(lambda one: one.reaped_jobs),
    ),
)

_GAUGES: tuple[tuple[str, str, str, Callable[[WorkerGauges], Figures]], ...] = (
    ("rrq.workers", "{worker}", "1 for each worker.", _by_worker(lambda one: 1)),
    ("rrq.jobs.in_flight", "{job}", "Jobs at executors.", _by_worker(lambda one: one.in_flight)),
    (
        "rrq.worker.capacity",
        "{job}",
        "Jobs that it takes at once.",
        _by_worker(lambda one: one.capacity),
    ),
    (
        "rrq.worker.redis_up",
        "1",
        "Whether Redis answers.",
        _by_worker(lambda one: int(one.is_redis_up)),
    ),
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
