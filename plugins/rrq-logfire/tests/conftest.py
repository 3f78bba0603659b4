"""A Logfire server for all tests, and a shop whose jobs were traced into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rrq.embedded import EmbeddedRedis
from tests.support.distributions import rrq_command
from tests.support.places import Place
from tests.support.places import place as place
from tests.support.traced_shop import TracedShop, run_shop

from .receiver import TOKEN, Receiver, logfire_server

TRACING = f"""
    import logfire

    def set_up():
        logfire.configure(
            token="{TOKEN}", send_to_logfire=True, service_name="shop-web", console=False
        )

    def request_span():
        return logfire.span("GET /buy")

    def child_span():
        return logfire.span("charge card")

    def flush():
        logfire.force_flush()
"""

TABLE = f"""
[rrq.plugins]
disabled = ["otel", "ddtrace"]

[rrq.plugins.logfire]
token = "{TOKEN}"
service_name = "shop-jobs"
environment = "testing"
attributes = {{ tenant = "kwargs.tenant", order = "args.0.id" }}
"""


@pytest.fixture(scope="session")
def shop_run(
    rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TracedShop, Receiver]]:
    """The shop, run once, and what Logfire got."""
    rrq_redis_server.flush()
    directory: Path = tmp_path_factory.mktemp("shop")
    with logfire_server() as receiver:
        for place in Place(directory, rrq_command().parent).lend():
            shop = run_shop(
                place,
                rrq_redis_server.dsn,
                TRACING,
                environment={"LOGFIRE_BASE_URL": receiver.base_url},
                plugins=TABLE,
            )
            yield shop, receiver


@pytest.fixture(scope="session")
def shop(shop_run: tuple[TracedShop, Receiver]) -> TracedShop:
    """What ran in the shop."""
    return shop_run[0]


@pytest.fixture(scope="session")
def seen(shop_run: tuple[TracedShop, Receiver]) -> Receiver:
    """What Logfire got from the shop."""
    return shop_run[1]
