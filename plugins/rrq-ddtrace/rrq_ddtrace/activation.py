"""The one backend of a process, whether the application enabled it or the plugin was found."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING

from rrq.telemetry import configure, get_telemetry
from rrq_ddtrace.backend import NAME, DatadogTelemetry
from rrq_ddtrace.complaints import complain_briefly
from rrq_ddtrace.loading import keep_forks_short, load, load_alone
from rrq_ddtrace.semantics import Identity
from rrq_ddtrace.tracing import Tracing, asks_for_tracing, is_in_use, is_loaded, names_service

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.telemetry import Role

_enabled: DatadogTelemetry | None = None
_lock = Lock()


def enable(
    *,
    service: str = "rrq",
    env: str | None = None,
    version: str | None = None,
    component: str = "rrq",
) -> None:
    """Trace this process with ddtrace as the application has configured it.

    Args:
        service: of RRQ's spans.
        env: of RRQ's spans; None is ddtrace's, from `DD_ENV`.
        version: of RRQ's spans; None is ddtrace's, from `DD_VERSION`.
        component: their tag `component`.
    """
    global _enabled
    identity = Identity(service=service, env=env, version=version, component=component)
    load()
    with _lock:
        if _enabled is None or _enabled.identity != identity:
            active = get_telemetry()
            before = [one for one in active.backends if one.name == NAME] if active else []
            _enabled = DatadogTelemetry(
                Tracing(is_asked_for=True), identity, before[0].correlation if before else None
            )
        configure(_enabled)


def backend_for(role: Role, settings: RRQSettings) -> DatadogTelemetry | None:
    """What the plugin offers to a process.

    A worker, and an executor process whose application does not use ddtrace, are traced if the
    variables `DD_*` ask for it. All others are as soon as the application uses ddtrace.
    """
    from rrq.plugins import plugin_configuration
    from rrq_ddtrace.config import DdtraceConfig

    config = plugin_configuration(settings, NAME, DdtraceConfig)
    correlation = config.correlation()
    if _enabled is not None:
        _enabled.correlation = _enabled.correlation or correlation
        return _enabled
    if role == "producer" or is_in_use() or not asks_for_tracing(os.environ):
        if role == "orchestrator":
            if not is_loaded():
                return None
            complain_briefly()
        return DatadogTelemetry(Tracing(), Identity(), correlation)
    is_alone = load_alone()
    complain_briefly()
    if is_alone and role == "orchestrator":
        keep_forks_short()
    service = None if names_service(os.environ) else config.service
    return DatadogTelemetry(
        Tracing(is_asked_for=True, is_at_end_when_flushed=is_alone and role == "executor"),
        Identity(service=service),
        correlation,
    )
