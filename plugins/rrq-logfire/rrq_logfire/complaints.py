"""What is said of a Logfire or a collector that takes no spans: one line a minute, which says where
it was looked for and what to do."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from rrq.telemetry.complaints import OnceAMinute

_OF_LOGFIRE = "logfire"

_OF_COLLECTORS = (
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.sdk.metrics._internal.export",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
)

_UNTAKEN = re.compile("export|unreachable")
"""What is not of this kind stands as it is."""


def complain_briefly(environment: Mapping[str, str]) -> None:
    """Have Logfire and what it is built on complain so in this process from now on. They do by
    themselves for each batch, with a traceback."""
    logfire = environment.get("LOGFIRE_BASE_URL") or "Logfire"
    _OneLine(
        f"{logfire} takes no spans, jobs go on. Can this machine reach it? LOGFIRE_BASE_URL "
        "says where it is, LOGFIRE_SEND_TO_LOGFIRE=false sends nothing.",
    ).add_to([_OF_LOGFIRE])
    collector = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environment.get(
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    _OneLine(
        f"The collector at {collector} takes no spans, jobs go on. Is it running there? "
        "OTEL_EXPORTER_OTLP_ENDPOINT says where it is."
    ).add_to(_OF_COLLECTORS)


class _OneLine(OnceAMinute):
    """
    Args:
        meaning: what it says before what was said.
    """

    def __init__(self, meaning: str) -> None:
        super().__init__()
        self._meaning = meaning

    def concerns(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING and bool(_UNTAKEN.search(record.getMessage()))

    def told(self, why: str, error: BaseException | None) -> str:
        if error is not None:
            why = f"{why} {error!r}"
        return f"{self._meaning} ({why:.400})"
