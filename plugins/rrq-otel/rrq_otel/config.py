"""`[rrq.plugins.otel]`: what cannot be said with OpenTelemetry's own variables."""

from __future__ import annotations

from pydantic import Field

from rrq.telemetry.correlation import CorrelatedConfig


class OtelConfig(CorrelatedConfig):
    """The plugin's table. Exporters, endpoints and samplers have the variables `OTEL_*`."""

    service_name: str = Field(
        default="rrq",
        description="The service's name in processes that have no application; "
        "OTEL_SERVICE_NAME wins.",
    )
