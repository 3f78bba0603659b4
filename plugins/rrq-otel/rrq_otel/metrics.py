"""`Metrics`: counters, histograms and gauges of jobs and workers, as OpenTelemetry instruments."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any

from rrq_otel.gauges import observe_workers

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from rrq.telemetry import Attempt, EnqueuedJob, WorkerGauges
    from rrq_otel.histograms import Record

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
        self._finished: dict[tuple[str, str, str], _Finished] = {}
        self._waited: dict[tuple[str, str], Record] = {}
        self._gauges: dict[str, WorkerGauges] = {}
        self._wait: Callable[[dict[str, str]], Record]
        self._run: Callable[[dict[str, str]], Record]

    def enqueued(self, job: EnqueuedJob) -> None:
        """A producer enqueued a job."""
        if self.is_ready():
            key = (job.queue_name, job.function_name)
            if key not in self._enqueued and len(self._enqueued) >= MOST_SERIES:
                key = ("other", "other")
            self._enqueued[key] += 1

    def attempt(self, attempt: Attempt) -> None:
        """An attempt ended."""
        job, finished = attempt.started, attempt.finished
        key = (job.queue_name, job.function_name, finished.outcome)
        of_key = self._finished.get(key)
        if of_key is None:
            if not self.is_ready():
                return
            of_key = self._new(key)
        of_key.count += 1
        of_key.waited(job.queue_delay_ms / 1000)
        if job.executor_name:
            of_key.ran(finished.duration_ms / 1000)

    def measured(self, gauges: WorkerGauges) -> None:
        """A worker measured itself."""
        if self.is_ready():
            self._gauges[gauges.worker_id] = gauges

    def stopped(self, worker_id: str) -> None:
        """A worker is gone, and so are its gauges."""
        self._gauges.pop(worker_id, None)

    def is_ready(self) -> bool:
        """Whether there is a provider to make instruments with; made at the first time."""
        if self._provider is not None:
            return True
        provider = self._own or self._application_provider()
        if provider is None:
            return False
        with self._lock:
            if self._provider is None:
                self._make(provider)
                self._provider = provider
        return True

    def _new(self, key: tuple[str, str, str]) -> _Finished:
        with self._lock:
            if len(self._finished) >= MOST_SERIES:
                key = ("other", "other", key[2])
            known = self._finished.get(key)
            if known is None:
                queue, function, outcome = key
                where = {"rrq.queue": queue, "rrq.function": function}
                waited = self._waited.get(key[:2])
                if waited is None:
                    waited = self._waited[key[:2]] = self._wait(where)
                ran = self._run({**where, "rrq.outcome": outcome})
                known = self._finished[key] = _Finished(waited, ran)
            return known

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

    def _make(self, provider: MeterProvider) -> None:
        from rrq import __version__
        from rrq_otel.histograms import Histograms, InstrumentHistograms

        meter = provider.get_meter("rrq", __version__)
        # Where the provider was set up here, it exports what is counted without instruments.
        histograms: Histograms = getattr(provider, "histograms", InstrumentHistograms(meter))
        self._wait = histograms.histogram("rrq.job.wait", "From due to claimed.")
        self._run = histograms.histogram("rrq.job.duration", "How long an attempt ran.")
        meter.create_observable_counter(
            "rrq.jobs.enqueued", [self._observe_enqueued], "{job}", "Jobs that were enqueued."
        )
        meter.create_observable_counter(
            "rrq.jobs.finished", [self._observe_finished], "{job}", "Attempts, by outcome."
        )
        observe_workers(meter, self._gauges)

    def _observe_enqueued(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for (queue, function), count in list(self._enqueued.items()):
            yield Observation(count, {"rrq.queue": queue, "rrq.function": function})

    def _observe_finished(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for (queue, function, outcome), finished in list(self._finished.items()):
            yield Observation(
                finished.count,
                {"rrq.queue": queue, "rrq.function": function, "rrq.outcome": outcome},
            )


class _Finished:
    """The attempts of one queue, function and outcome.

    Attributes:
        waited, ran: take how long one waited, and how long it ran.
    """

    __slots__ = ("count", "ran", "waited")

    def __init__(self, waited: Record, ran: Record) -> None:
        self.count = 0
        self.waited = waited
        self.ran = ran
