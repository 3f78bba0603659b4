"""`serving`: the backend of a worker, with its port open."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

from rrq.exc import ConfigError
from rrq.plugins.configuration import plugin_configuration
from rrq.telemetry import Telemetry
from rrq_prometheus.config import DEFAULT_PORT, PrometheusConfig
from rrq_prometheus.metrics import Metrics
from rrq_prometheus.server import Server

if TYPE_CHECKING:
    from rrq.settings import RRQSettings

logger = logging.getLogger("rrq.prometheus")


class Unheard(Telemetry):
    """In place of the metrics if nobody chose a port and the default one is another's."""

    name = "prometheus"

    def worker_started(self, worker_id: str, queues: tuple[str, ...]) -> None:
        logger.warning(
            "No metrics and no health endpoints: port %d is in use. Give each worker of this "
            "machine a port of its own: [rrq.plugins.prometheus] port = 0 takes a free one",
            DEFAULT_PORT,
        )


def serving(settings: RRQSettings) -> Telemetry:
    """The backend, with its port open if there is one for it.

    Raises:
        ConfigError: the configured address cannot be used.
    """
    config = plugin_configuration(settings, "prometheus", PrometheusConfig)
    port = DEFAULT_PORT if config.port is None else config.port
    metrics = Metrics(ready_within_seconds=config.ready_within_seconds)
    try:
        server = Server(config.host, port, metrics)
    except OSError as error:
        if config.port is None and error.errno == errno.EADDRINUSE:
            return Unheard()
        raise ConfigError(
            f"[rrq.plugins.prometheus] cannot listen at {config.host}:{port}: "
            f"{error.strerror or error}. Choose another host or port; port = 0 takes a free one."
        ) from error
    server.start()
    metrics.server = server
    return metrics
