"""What is counted here is exported as OpenTelemetry's own instruments would have it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, MetricsData

from rrq.telemetry import Attempt, FinishedJob, StartedJob
from rrq_otel.backend import OTelTelemetry
from rrq_otel.histograms import CountingMeterProvider, InstrumentHistograms, OwnHistograms
from rrq_otel.sdk import Providers, set_up

from .receiver import Receiver, SeenPoint, http_receiver

VALUES = [0.0, 0.0004, 0.001, 0.0011, 0.3, 3600.0, 4000.0, 12.5]


def points(data: MetricsData) -> list[HistogramDataPoint]:
    [of_resource] = data.resource_metrics
    [of_scope] = of_resource.scope_metrics
    [metric] = of_scope.metrics
    assert (metric.name, metric.unit, metric.description) == ("rrq.job.wait", "s", "Waited.")
    return [point for point in metric.data.data_points if isinstance(point, HistogramDataPoint)]


def without_times(point: HistogramDataPoint) -> dict[str, Any]:
    fields = {name: getattr(point, name) for name in point.__dataclass_fields__}
    assert 0 < fields.pop("start_time_unix_nano") <= fields.pop("time_unix_nano")
    return {**fields, "bucket_counts": list(fields["bucket_counts"])}


def test_the_points_are_those_of_an_instrument() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("rrq")
    own = OwnHistograms()
    for histograms in (own, InstrumentHistograms(meter)):
        record_in = histograms.histogram("rrq.job.wait", "Waited.")
        first, second = record_in({"rrq.queue": "a"}), record_in({"rrq.queue": "b"})
        record_in({"rrq.queue": "never"})
        for value in VALUES:
            first(value)
        second(7.0)
    data = reader.get_metrics_data()
    assert data is not None
    theirs = [without_times(point) for point in points(data)]
    [metric] = own.metrics()
    ours = [without_times(point) for point in metric.data.data_points]
    assert ours == theirs
    assert len(ours) == 2


def attempt(duration_ms: float) -> Attempt:
    started = StartedJob(
        job_id="j1",
        function_name="sell",
        queue_name="default",
        worker_id="w1",
        executor_name="python",
        attempt=1,
        max_retries=3,
        timeout_seconds=300.0,
        queue_delay_ms=2.0,
        enqueue_time="2026-01-01T00:00:00Z",
        lease_token=7,
        previous_lease_token=None,
        started_ns=1,
        trace_context={},
    )
    return Attempt(
        started=started,
        finished=FinishedJob(outcome="success", ended_ns=2, duration_ms=duration_ms),
    )


def exported(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, **more: str) -> Providers:
    """What was set up, after two attempts with a flush after each."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in receiver.environment(OTEL_TRACES_EXPORTER="none", **more).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
    made = set_up("shop")
    assert made.metrics is not None
    made.metrics.get_meter("kitchen").create_counter("brewed").add(1)
    backend = OTelTelemetry(made)
    for duration_ms in (1.5, 1000.0):
        backend.attempt(attempt(duration_ms))
        backend.flush(5)
    made.metrics.shutdown()
    return made


def sums(points: list[SeenPoint]) -> list[tuple[float, float]]:
    return [(point.value, round(point.sum, 4)) for point in points]


def test_they_stand_among_the_other_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        made = exported(receiver, monkeypatch)
    assert isinstance(made.metrics, CountingMeterProvider)
    seen = receiver.metrics
    assert sums(seen["rrq.job.duration"])[:2] == [(1, 0.0015), (2, 1.0015)]
    assert sums(seen["rrq.job.wait"])[:2] == [(1, 0.002), (2, 0.004)]
    assert [point.value for point in seen["rrq.jobs.finished"]][:2] == [1, 2]
    assert [point.value for point in seen["brewed"]][:1] == [1]
    [where] = {tuple(point.attributes.items()) for point in seen["rrq.job.duration"]}
    assert dict(where) == {
        "rrq.queue": "default",
        "rrq.function": "sell",
        "rrq.outcome": "success",
    }


@pytest.mark.parametrize(
    "variable",
    [
        {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"},
        {
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": (
                "base2_exponential_bucket_histogram"
            )
        },
    ],
)
def test_who_wants_other_histograms_gets_instruments(
    monkeypatch: pytest.MonkeyPatch, variable: dict[str, str]
) -> None:
    with http_receiver() as receiver:
        made = exported(receiver, monkeypatch, **variable)
    assert not isinstance(made.metrics, CountingMeterProvider)
    counts = [point.value for point in receiver.metrics["rrq.job.duration"]][:2]
    assert counts == ([1, 1] if "delta" in variable.values() else [1, 2])
