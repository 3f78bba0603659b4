"""`[rrq.plugins.ddtrace]`: what cannot be said with Datadog's own variables."""

from __future__ import annotations

from pydantic import Field

from rrq.telemetry.correlation import CorrelatedConfig


class DdtraceConfig(CorrelatedConfig):
    """The plugin's table. The agent, the environment and sampling have the variables `DD_*`."""

    service: str = Field(
        default="rrq",
        description="The service of RRQ's spans in processes that have no application; "
        "DD_SERVICE wins.",
    )
