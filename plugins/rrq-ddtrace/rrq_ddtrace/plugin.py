"""What rrq-ddtrace adds to RRQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role, Telemetry

config_model = "rrq_ddtrace.config:DdtraceConfig"


@hookimpl
def rrq_telemetry(role: Role, settings: RRQSettings) -> Telemetry | None:
    """Traces through Datadog's library."""
    from rrq_ddtrace.activation import backend_for

    return backend_for(role, settings)
