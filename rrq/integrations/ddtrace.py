"""`enable`: trace this process with Datadog, as the application has configured it."""

from __future__ import annotations

from rrq.integrations import plugin_module


def enable(
    *,
    service: str = "rrq",
    env: str | None = None,
    version: str | None = None,
    component: str = "rrq",
) -> None:
    """Make the backend active in this process; nothing happens if it is.

    Raises:
        ImportError: the plugin is not installed.
    """
    plugin_module("rrq_ddtrace", "rrq-ddtrace").enable(
        service=service, env=env, version=version, component=component
    )
