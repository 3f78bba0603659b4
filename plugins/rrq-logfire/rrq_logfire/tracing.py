"""`Tracing`: the tracer of Logfire, once somebody has configured it in this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logfire import Logfire
    from opentelemetry.sdk.trace import Tracer as SdkTracer

SCOPE = "logfire.rrq"


class Tracing:
    """The tracer, asked for at each span: an application may configure Logfire at any time, and
    again.

    Args:
        instance: what `logfire.configure(local=True)` returned; None takes the global one.
    """

    def __init__(self, instance: Logfire | None = None) -> None:
        self._instance = instance
        # Logfire's own: it adds what makes a span one of Logfire's, and never warns.
        self._tracer: Any = None

    def tracer(self) -> Any:
        """Logfire's tracer, or None while nobody has configured Logfire."""
        return None if self.sdk_tracer() is None else self._tracer

    def sdk_tracer(self) -> SdkTracer | None:
        """As `tracer`: the one of OpenTelemetry's SDK on which it is built."""
        if self._tracer is None:
            instance = self._instance or _global_instance()
            if instance is None:
                return None
            provider = instance.config.get_tracer_provider()
            self._tracer = provider.get_tracer(SCOPE, _version())
        # Nothing but an SDK's tracer is configured: another is Logfire's before `configure`,
        # or one whose scope the application suppressed.
        inner = self._tracer.tracer
        return inner if _is_of_sdk(inner) else None

    def flush(self, timeout_seconds: float) -> None:
        """Send what is held, if Logfire is configured."""
        instance = self._instance or _global_instance()
        if instance is not None and self.sdk_tracer() is not None:
            instance.force_flush(int(timeout_seconds * 1000))


def is_configured() -> bool:
    """Whether Logfire is configured in this process."""
    return Tracing().sdk_tracer() is not None


def _global_instance() -> Logfire | None:
    """Whoever configures Logfire imports it; to import it here costs everybody else."""
    module = sys.modules.get("logfire")
    return getattr(module, "DEFAULT_LOGFIRE_INSTANCE", None)


def _is_of_sdk(tracer: object) -> bool:
    from opentelemetry.sdk.trace import Tracer as SdkTracer

    return isinstance(tracer, SdkTracer)


def _version() -> str:
    from rrq import __version__

    return __version__
