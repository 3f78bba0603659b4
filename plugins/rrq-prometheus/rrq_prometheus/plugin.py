"""What rrq-prometheus adds to RRQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role, Telemetry

config_model = "rrq_prometheus.config:PrometheusConfig"


@hookimpl
def rrq_telemetry(role: Role, settings: RRQSettings) -> Telemetry | None:
    """Metrics and health of a worker, on a port of its own."""
    if role != "orchestrator":
        return None
    from rrq_prometheus.activation import serving

    return serving(settings)
