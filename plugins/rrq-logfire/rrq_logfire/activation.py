"""The one backend of a process, whether the application enabled it or the plugin was found."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING

from rrq.telemetry import configure
from rrq_logfire.backend import NAME, LogfireTelemetry

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role

_enabled: LogfireTelemetry | None = None
_lock = Lock()


def enable(*, service_name: str = "rrq") -> None:
    """Trace this process with Logfire as the application has configured it, or will.

    Args:
        service_name: the attribute `service.name` of RRQ's spans.
    """
    global _enabled
    with _lock:
        if _enabled is None or _enabled.service_name != service_name:
            _enabled = LogfireTelemetry(service_name=service_name)
        configure(_enabled)


def backend_for(role: Role, settings: RRQSettings) -> LogfireTelemetry | None:
    """What the plugin offers to a process.

    In a worker, and in an executor process whose application configured nothing, Logfire is
    configured here if there is anywhere to send to. A producer gets what the application
    configures, now or later.

    Raises:
        ConfigError: Logfire cannot be configured so.
    """
    from rrq.plugins import plugin_configuration
    from rrq_logfire.config import LogfireConfig
    from rrq_logfire.setting_up import asks_for_tracing, set_up
    from rrq_logfire.tracing import is_configured

    config = plugin_configuration(settings, NAME, LogfireConfig)
    if role != "producer" and not is_configured():
        if asks_for_tracing(config, os.environ):
            set_up(config, role)
        elif _enabled is None:
            return None
    if _enabled is not None:
        _enabled.correlation = _enabled.correlation or config.correlation()
        return _enabled
    return LogfireTelemetry(correlation=config.correlation())
