"""`enable`: trace this process with OpenTelemetry, as the application has configured it."""

from __future__ import annotations

from rrq.integrations import plugin_module


def enable(*, service_name: str = "rrq") -> None:
    """Make the backend active in this process; nothing happens if it is.

    Raises:
        ImportError: the plugin is not installed.
    """
    plugin_module("rrq_otel", "rrq-otel").enable(service_name=service_name)
