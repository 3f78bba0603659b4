"""`Tracing`: which tracer RRQ's spans are made with: the application's, or one set up here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Tracer

SCOPE = "rrq"


class Tracing:
    """The tracer, asked for at each span: an application may configure its SDK at any time.

    Args:
        own: the provider of a process without an application; None if that exports no spans.
            Without it, the application's is looked for.
    """

    def __init__(self, own: TracerProvider | Literal["application"] | None = "application") -> None:
        self._is_fixed = own != "application"
        self._provider: object = None
        self._tracer: Tracer | None = None
        if own is not None and own != "application":
            self._tracer = own.get_tracer(SCOPE, _version())

    def tracer(self) -> Tracer | None:
        """The tracer, or None while nobody has configured tracing."""
        if self._is_fixed:
            return self._tracer
        api: Any = sys.modules.get("opentelemetry.trace")
        if api is None:
            # Whoever configures tracing imports this; to import it here costs everybody else.
            return None
        provider = api.get_tracer_provider()
        if provider is not self._provider:
            self._tracer = None if _is_nothing(provider) else provider.get_tracer(SCOPE, _version())
            self._provider = provider
        if self._tracer is not None and _is_of_another_backend(provider):
            return None
        return self._tracer


def scope() -> InstrumentationScope:
    """What RRQ's spans say of their maker."""
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return InstrumentationScope(SCOPE, _version())


def application_provider() -> Any:
    """The tracer provider that the application configured, or None."""
    api: Any = sys.modules.get("opentelemetry.trace")
    provider = api.get_tracer_provider() if api else None
    return None if provider is None or _is_nothing(provider) else provider


def is_configured() -> bool:
    """Whether the application has configured tracing."""
    return application_provider() is not None


def _is_nothing(provider: object) -> bool:
    from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider

    return isinstance(provider, ProxyTracerProvider | NoOpTracerProvider)


def _is_of_another_backend(provider: object) -> bool:
    """Whether spans made here would come a second time to a backend that makes its own, as when
    Logfire is OpenTelemetry's provider and has a plugin for RRQ too."""
    maker = type(provider).__module__.partition(".")[0]
    if maker == "opentelemetry":
        return False
    from rrq.telemetry import get_telemetry

    active = get_telemetry()
    return active is not None and any(member.name == maker for member in active.members)


def _version() -> str:
    from rrq import __version__

    return __version__
