"""`serving`: the backend of a worker, with its port open."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

from rrq.config.environment import read_environment
from rrq.exc import ConfigError
from rrq.plugins.configuration import plugin_configuration
from rrq.telemetry import Telemetry
from rrq_prometheus.config import DEFAULT_PORT, LAST_PORT, PrometheusConfig
from rrq_prometheus.metrics import Metrics
from rrq_prometheus.server import Server

if TYPE_CHECKING:
    from rrq.settings import RRQSettings

PORT_VARIABLE = "RRQ_PROMETHEUS_PORT"
"""The port of this worker alone: the workers of a machine have one table together."""

logger = logging.getLogger("rrq.prometheus")


class Unheard(Telemetry):
    """In place of the metrics if nobody chose a port and the default one is another's."""

    name = "prometheus"

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        logger.warning(
            "No metrics and no health endpoints of this worker: port %d is in use. Give each "
            "worker of this machine a port of its own with %s=%d, or let each take a free one "
            "with port = 0 in [rrq.plugins.prometheus]",
            DEFAULT_PORT,
            PORT_VARIABLE,
            DEFAULT_PORT + 1,
        )


def serving(settings: RRQSettings) -> Telemetry:
    """The backend, with its port open if there is one for it.

    Raises:
        ConfigError: the configured address cannot be used.
    """
    config = plugin_configuration(settings, "prometheus", PrometheusConfig)
    chosen, chosen_by = _chosen_port(config)
    port = DEFAULT_PORT if chosen is None else chosen
    metrics = Metrics(ready_within_seconds=config.ready_within_seconds)
    try:
        server = Server(config.host, port, metrics)
    except OSError as error:
        if chosen is None and error.errno == errno.EADDRINUSE:
            return Unheard()
        raise ConfigError(
            f"{chosen_by} cannot listen at {config.host}:{port}: "
            f"{error.strerror or error}. Choose another host or port; port = 0 takes a free one."
        ) from error
    server.start()
    metrics.server = server
    return metrics


def _chosen_port(config: PrometheusConfig) -> tuple[int | None, str]:
    """The port that somebody chose, None if nobody did, and where it stands.

    Raises:
        ConfigError: the variable names none.
    """
    said = read_environment().values.get(PORT_VARIABLE)
    if said is None:
        return config.port, "[rrq.plugins.prometheus]"
    if not (said.isdecimal() and int(said) <= LAST_PORT):
        raise ConfigError(f"{PORT_VARIABLE} is {said!r}, expected a port from 0 to {LAST_PORT}")
    return int(said), PORT_VARIABLE
