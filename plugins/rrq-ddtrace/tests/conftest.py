"""Datadog's test agent for all tests, and a shop whose jobs were traced into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rrq.embedded import EmbeddedRedis
from tests.support.distributions import rrq_command
from tests.support.places import Place
from tests.support.places import place as place
from tests.support.traced_shop import TracedShop, run_shop

from .agent import TestAgent, running_agent

TRACING = """
    def set_up():
        import ddtrace

    def request_span():
        from ddtrace.trace import tracer
        return tracer.trace("GET /buy")

    def child_span():
        from ddtrace.trace import tracer
        return tracer.trace("charge card")

    def flush():
        from ddtrace.trace import tracer
        tracer.flush()
"""


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestAgent]:
    """Datadog's test agent, shared by all tests."""
    with running_agent(tmp_path_factory.mktemp("agent")) as agent:
        yield agent


@pytest.fixture(scope="session")
def shop(
    agent: TestAgent, rrq_redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TracedShop]:
    """The shop, run once with Datadog alone."""
    rrq_redis_server.flush()
    directory: Path = tmp_path_factory.mktemp("shop")
    for shop_place in Place(directory, rrq_command().parent).lend():
        yield run_shop(
            shop_place,
            rrq_redis_server.dsn,
            TRACING,
            environment=agent.environment(
                DD_SERVICE="shop",
                DD_ENV="staging",
                DD_VERSION="4.2",
                RRQ_DISABLED_PLUGINS="prometheus",
            ),
            plugins='[rrq.plugins.ddtrace]\nattributes = { tenant = "kwargs.tenant", '
            'order = "args.0.id" }',
        )
