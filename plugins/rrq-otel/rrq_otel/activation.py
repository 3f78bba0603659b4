"""The one backend of a process, whether the application enabled it or the plugin was found."""

from __future__ import annotations

import logging
import os
from threading import Lock
from typing import TYPE_CHECKING

from rrq.telemetry import configure
from rrq_otel.backend import NAME, OTelTelemetry

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role
    from rrq_otel.sdk import Providers, Signal

_enabled: OTelTelemetry | None = None
_lock = Lock()


def enable(*, service_name: str = "rrq") -> None:
    """Trace this process with the OpenTelemetry that the application has configured, or will.

    Args:
        service_name: the attribute `service.name` of RRQ's spans.
    """
    global _enabled
    with _lock:
        if _enabled is None or _enabled.service_name != service_name:
            _enabled = OTelTelemetry(service_name=service_name)
        configure(_enabled)


def backend_for(role: Role, settings: RRQSettings) -> OTelTelemetry | None:
    """What the plugin offers to a process.

    A worker, and an executor process whose application configured nothing, get an SDK of their
    own if the variables `OTEL_*` ask for one; in an executor it becomes the global one, so that
    the handlers' own spans are exported too. A producer gets what the application configures,
    now or later.
    """
    from rrq.plugins import plugin_configuration
    from rrq_otel.config import OtelConfig
    from rrq_otel.sdk import exporter_names, set_up
    from rrq_otel.tracing import is_configured

    config = plugin_configuration(settings, NAME, OtelConfig)
    correlation = config.correlation()
    if _enabled is not None:
        _enabled.correlation = _enabled.correlation or correlation
        return _enabled
    if role == "producer" or is_configured():
        return OTelTelemetry(correlation=correlation)
    signals: tuple[Signal, ...] = ("traces", "metrics", "logs")
    if not any(exporter_names(signal, os.environ) for signal in signals):
        return None
    own = set_up(config.service_name)
    if not own:
        return None
    if role == "executor":
        _make_global(own)
    if own.logs:
        from rrq_otel.logs import export_logs

        try:
            export_logs(own.logs)
        except ImportError as error:
            # This part of OpenTelemetry is not stable yet.
            logging.getLogger("rrq.telemetry").warning("OpenTelemetry: no logs: %s", error)
    return OTelTelemetry(own, correlation=correlation)


def _make_global(own: Providers) -> None:
    if own.traces:
        from opentelemetry.trace import set_tracer_provider

        set_tracer_provider(own.traces)
    if own.metrics:
        from opentelemetry.metrics import set_meter_provider

        set_meter_provider(own.metrics)
