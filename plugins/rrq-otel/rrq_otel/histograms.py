"""`Histograms`: how long jobs waited and ran, by OpenTelemetry's instruments or counted here.

An instrument takes several microseconds for each value, twice a job. What is counted here, for an
SDK that was set up here, joins the metrics on their way into the exporter.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.sdk.metrics import Histogram as Instrument
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from rrq import __version__
from rrq_otel.tracing import SCOPE

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.resources import Resource

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

Record = Callable[[float], None]
"""Takes one value of a series, in seconds."""


class Histograms(Protocol):
    """Makes histograms."""

    def histogram(self, name: str, description: str) -> Callable[[dict[str, str]], Record]:
        """A histogram: called with the attributes of a series, it answers how to record in it."""


class InstrumentHistograms:
    """Histograms that are instruments of a meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def histogram(self, name: str, description: str) -> Callable[[dict[str, str]], Record]:
        """As `Histograms` says."""
        try:
            instrument = self._meter.create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=SECONDS
            )
        except TypeError:  # Before OpenTelemetry 1.30 the bounds are the provider's affair.
            instrument = self._meter.create_histogram(name, "s", description)
        return lambda attributes: lambda seconds: instrument.record(seconds, attributes)


class OwnHistograms:
    """Histograms that are counted here, from the beginning of the process."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], list[_Series]] = {}

    def histogram(self, name: str, description: str) -> Callable[[dict[str, str]], Record]:
        """As `Histograms` says."""
        known = self._series.setdefault((name, description), [])

        def series(attributes: dict[str, str]) -> Record:
            one = _Series(attributes)
            known.append(one)
            return one.record

        return series

    def metrics(self) -> list[Metric]:
        """Those of which there are values."""
        points = {
            named: [point for one in series if (point := one.point()) is not None]
            for named, series in list(self._series.items())
        }
        return [
            Metric(name, description, "s", Histogram(found, AggregationTemporality.CUMULATIVE))
            for (name, description), found in points.items()
            if found
        ]


class WithOwnHistograms(MetricExporter):
    """An exporter that exports histograms of our own besides what it is given.

    Args:
        onward: the exporter that sends; `takes_own_histograms` must hold of it.
    """

    def __init__(self, onward: MetricExporter, own: OwnHistograms) -> None:
        super().__init__(onward._preferred_temporality, onward._preferred_aggregation)
        self._onward = onward
        self._own = own

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **more: Any
    ) -> MetricExportResult:
        """Export these and our own."""
        return self._onward.export(self._with_own(metrics_data), timeout_millis, **more)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """As the exporter does."""
        return self._onward.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **more: Any) -> None:
        """As the exporter does."""
        self._onward.shutdown(timeout_millis, **more)

    def _with_own(self, metrics_data: MetricsData) -> MetricsData:
        metrics = self._own.metrics()
        if not metrics:
            return metrics_data
        return MetricsData([_joined(one, metrics) for one in metrics_data.resource_metrics])


class CountingMeterProvider(MeterProvider):
    """A provider whose exporters export own histograms too.

    Attributes:
        histograms: where to count for them.
    """

    def __init__(self, exporters: Iterable[MetricExporter], resource: Resource) -> None:
        self.histograms = OwnHistograms()
        readers = [
            PeriodicExportingMetricReader(WithOwnHistograms(one, self.histograms))
            for one in exporters
        ]
        super().__init__(readers, resource, shutdown_on_exit=False)


def takes_own_histograms(exporters: Iterable[object]) -> bool:
    """Whether all of these want histograms as they are counted here: cumulative, in buckets."""
    return all(isinstance(one, MetricExporter) and _wants_buckets(one) for one in exporters)


def _wants_buckets(exporter: MetricExporter) -> bool:
    temporality = (exporter._preferred_temporality or {}).get(Instrument)
    aggregation = (exporter._preferred_aggregation or {}).get(Instrument)
    return temporality in (None, AggregationTemporality.CUMULATIVE) and (
        aggregation is None or type(aggregation) is ExplicitBucketHistogramAggregation
    )


def _joined(of_resource: ResourceMetrics, metrics: list[Metric]) -> ResourceMetrics:
    """With these among the others of RRQ's scope: a second scope of that name would replace it."""
    ours = ScopeMetrics(InstrumentationScope(SCOPE, __version__), [], "")
    others = []
    for one in of_resource.scope_metrics:
        if one.scope.name == SCOPE:
            ours = one
        else:
            others.append(one)
    ours = replace(ours, metrics=[*ours.metrics, *metrics])
    return replace(of_resource, scope_metrics=[*others, ours])


class _Series:
    """The values of one histogram that have the same attributes.

    One thread at a time records, and takes no lock for it: another that reads meanwhile may see a
    value's share of the sum without its bucket, until it reads again.
    """

    __slots__ = ("_attributes", "_counts", "_max", "_min", "_start_ns", "_sum")

    def __init__(self, attributes: dict[str, str]) -> None:
        self._attributes = attributes
        self._start_ns = time.time_ns()
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum = 0.0
        self._min, self._max = inf, -inf

    def record(self, seconds: float) -> None:
        self._sum += seconds
        if seconds < self._min:
            self._min = seconds
        if seconds > self._max:
            self._max = seconds
        self._counts[bisect_left(SECONDS, seconds)] += 1

    def point(self) -> HistogramDataPoint | None:
        counts: Sequence[int] = tuple(self._counts)
        if not any(counts):
            return None
        return HistogramDataPoint(
            attributes=self._attributes,
            start_time_unix_nano=self._start_ns,
            time_unix_nano=time.time_ns(),
            count=sum(counts),
            sum=self._sum,
            bucket_counts=counts,
            explicit_bounds=SECONDS,
            min=self._min,
            max=self._max,
        )
