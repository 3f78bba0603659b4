"""`Tracing`: ddtrace's tracer, if this process is to be traced.

ddtrace has no call that configures it: to import it is enough, and whatever else the environment
brings along may do so. So a process counts as traced by Datadog only if it shows that it means it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddtrace.trace import Tracer

ASKING = (
    "DD_SERVICE",
    "DD_ENV",
    "DD_VERSION",
    "DD_TAGS",
    "DD_AGENT_HOST",
    "DD_TRACE_AGENT_URL",
    "DD_TRACE_AGENT_PORT",
    "DD_TRACE_ENABLED",
)
"""The variables of which any asks for tracing, unless `DD_TRACE_ENABLED` says no."""

_AUTOMATIC = ("ddtrace.bootstrap.preload", "ddtrace.bootstrap.sitecustomize")


class Tracing:
    """The tracer, asked for at each span: an application may begin to use ddtrace at any time.

    Args:
        is_asked_for: whether the process is to be traced whatever its application does.
        is_at_end_when_flushed: whether a flush is the last that is asked of the tracer.

    Attributes:
        is_at_end_when_flushed: as given.
    """

    def __init__(self, *, is_asked_for: bool = False, is_at_end_when_flushed: bool = False) -> None:
        self.is_at_end_when_flushed = is_at_end_when_flushed
        self._is_settled = is_asked_for

    def tracer(self) -> Tracer | None:
        """The tracer, or None while the application does not use ddtrace, or has turned it off."""
        api: Any = sys.modules.get("ddtrace.trace")
        tracer: Tracer | None = getattr(api, "tracer", None)
        if tracer is None or not tracer.enabled:
            return None
        if not self._is_settled:
            if not is_in_use():
                # Who is in a span of its own uses it, at least here.
                return tracer if tracer.context_provider.active() else None
            self._is_settled = True
        return tracer


def is_loaded() -> bool:
    """Whether anybody has loaded ddtrace in this process."""
    return "ddtrace.trace" in sys.modules


def is_in_use() -> bool:
    """Whether this process's application uses ddtrace.

    It does if it has loaded it and was started by `ddtrace-run`, or imported `ddtrace.auto`, or
    patched a library, or if the variables `DD_*` ask for tracing. This never loads it.
    """
    if not is_loaded():
        return False
    if any(name in sys.modules for name in _AUTOMATIC) or asks_for_tracing(os.environ):
        return True
    patching: Any = sys.modules.get("ddtrace._monkey")
    return bool(getattr(patching, "_PATCHED_MODULES", None))


def asks_for_tracing(environment: Mapping[str, str]) -> bool:
    """Whether the variables of Datadog ask for traces."""
    if environment.get("DD_TRACE_ENABLED", "true").strip().lower() in ("false", "0"):
        return False
    return any(environment.get(name) for name in ASKING)


def names_service(environment: Mapping[str, str]) -> bool:
    """Whether they say what the service is called."""
    tags = environment.get("DD_TAGS", "").replace(",", " ").split()
    return bool(environment.get("DD_SERVICE")) or any(tag.startswith("service:") for tag in tags)
