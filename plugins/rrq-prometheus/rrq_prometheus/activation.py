"""`serving`: the backend of a worker, with its port open."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

from rrq.exc import ConfigError
from rrq.plugins.configuration import plugin_configuration
from rrq_prometheus.config import DEFAULT_PORT, PrometheusConfig
from rrq_prometheus.metrics import Metrics
from rrq_prometheus.server import Server

if TYPE_CHECKING:
    from rrq.settings import RRQSettings

logger = logging.getLogger("rrq.prometheus")


def serving(settings: RRQSettings) -> Metrics | None:
    """The backend, or None if nobody chose a port and the default one is another's.

    Raises:
        ConfigError: the configured address cannot be used.
    """
    config = plugin_configuration(settings, "prometheus", PrometheusConfig)
    port = DEFAULT_PORT if config.port is None else config.port
    metrics = Metrics(ready_within_seconds=config.ready_within_seconds)
    try:
        server = Server(config.host, port, metrics)
    except OSError as error:
        where = f"{config.host}:{port}"
        if config.port is None and error.errno == errno.EADDRINUSE:
            logger.warning(
                "No metrics and no health endpoints: %s is in use. Give each worker of this "
                "machine a port of its own: [rrq.plugins.prometheus] port = 0 takes a free one",
                where,
            )
            return None
        raise ConfigError(
            f"[rrq.plugins.prometheus] cannot listen at {where}: {error.strerror or error}. "
            "Choose another host or port; port = 0 takes a free one."
        ) from error
    server.start()
    logger.info("Metrics at http://%s/metrics, health at /healthz and /readyz", server.address)
    metrics.server = server
    return metrics
