"""What rrq-logfire adds to RRQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role, Telemetry

config_model = "rrq_logfire.config:LogfireConfig"


@hookimpl
def rrq_telemetry(role: Role, settings: RRQSettings) -> Telemetry | None:
    """Traces through Logfire."""
    from rrq_logfire.activation import backend_for

    return backend_for(role, settings)
