"""What rrq-prometheus adds to RRQ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role, Telemetry


@hookimpl
def rrq_telemetry(role: Role, settings: RRQSettings) -> Telemetry | None:
    """No backend yet."""
    return None
