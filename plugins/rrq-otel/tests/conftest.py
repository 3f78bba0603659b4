"""A collector for all tests, and a shop whose jobs were traced into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rrq.embedded import EmbeddedRedis
from tests.support.distributions import rrq_command
from tests.support.places import Place
from tests.support.places import place as place
from tests.support.traced_shop import TracedShop, run_shop

from .receiver import Receiver, http_receiver

TRACING = """
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracer = trace.get_tracer("shop")

    def set_up():
        provider = TracerProvider(resource=Resource.create({"service.name": "shop-web"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)

    def request_span():
        return tracer.start_as_current_span("GET /buy")

    def child_span():
        return tracer.start_as_current_span("charge card")

    def flush():
        trace.get_tracer_provider().force_flush()
"""


@pytest.fixture(scope="session")
def shop_run(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TracedShop, Receiver]]:
    """The shop, run once, and what the collector got."""
    rrq_redis_server.flush()
    directory: Path = tmp_path_factory.mktemp("shop")
    place = Place(directory, rrq_command().parent)
    with http_receiver() as receiver:
        for place in place.lend():  # noqa: B020
            shop = run_shop(
                place,
                rrq_redis_server.dsn,
                TRACING,
                environment=receiver.environment(
                    OTEL_SERVICE_NAME="shop-jobs",
                    OTEL_LOGS_EXPORTER="otlp",
                    RRQ_DISABLED_PLUGINS="ddtrace,logfire,prometheus",
                ),
                plugins='[rrq.plugins.otel]\nattributes = { tenant = "kwargs.tenant", '
                'order = "args.0.id" }',
            )
            yield shop, receiver


@pytest.fixture(scope="session")
def shop(shop_run: tuple[TracedShop, Receiver]) -> TracedShop:
    """What ran in the shop."""
    return shop_run[0]


@pytest.fixture(scope="session")
def seen(shop_run: tuple[TracedShop, Receiver]) -> Receiver:
    """What the collector got from the shop."""
    return shop_run[1]
