"""What is said of a Logfire or a collector that takes no spans: one line a minute, which says where
it was looked for and what to do."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping

EVERY_SECONDS = 60.0

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
    _add(
        _OneLine(
            f"{logfire} takes no spans, jobs go on. Can this machine reach it? LOGFIRE_BASE_URL "
            "says where it is, LOGFIRE_SEND_TO_LOGFIRE=false sends nothing.",
        ),
        _OF_LOGFIRE,
    )
    collector = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environment.get(
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    to_collector = _OneLine(
        f"The collector at {collector} takes no spans, jobs go on. Is it running there? "
        "OTEL_EXPORTER_OTLP_ENDPOINT says where it is."
    )
    for name in _OF_COLLECTORS:
        _add(to_collector, name)


def _add(complaint: _OneLine, name: str) -> None:
    logger = logging.getLogger(name)
    if not any(isinstance(one, _OneLine) for one in logger.filters):
        logger.addFilter(complaint)


class _OneLine(logging.Filter):
    """Lets one complaint a minute pass, in one line.

    Args:
        meaning: what it says before what was said.
    """

    def __init__(self, meaning: str) -> None:
        super().__init__()
        self._meaning = meaning
        self._passed_at = -EVERY_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        why = record.getMessage()
        if record.levelno < logging.WARNING or not _UNTAKEN.search(why):
            return True
        now = time.monotonic()
        if now - self._passed_at < EVERY_SECONDS:
            return False
        self._passed_at = now
        if record.exc_info and record.exc_info[1] is not None:
            why = f"{why} {record.exc_info[1]!r}"
        record.msg, record.args = "%s (%.400s)", (self._meaning, why)
        record.exc_info = record.exc_text = None
        return True
