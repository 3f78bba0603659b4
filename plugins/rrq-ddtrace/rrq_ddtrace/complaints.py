"""What ddtrace says of an agent that takes no traces: one line a minute, which says what to do."""

from __future__ import annotations

import logging
import re
import time

EVERY_SECONDS = 60.0

_UNTAKEN = re.compile("failed to (send|shutdown)|HTTP error status")
"""What is not of this kind is about one trace, or its size, and stands as it is."""

_LOGGERS = ("ddtrace.internal.writer.writer", "ddtrace.internal.agent")


def complain_briefly() -> None:
    """Have ddtrace complain so in this process from now on. By itself it does in a line for each
    place in its code, some with a traceback, and beside the log as well as in it."""
    if logging.getLogger().handlers:
        # They tell all that ddtrace says, which its own handler would say a second time.
        ddtrace = logging.getLogger("ddtrace")
        for handler in [one for one in ddtrace.handlers if type(one) is logging.StreamHandler]:
            ddtrace.removeHandler(handler)
    complaint = _OneLine()
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, _OneLine) for one in logger.filters):
            logger.addFilter(complaint)


class _OneLine(logging.Filter):
    """Lets one complaint a minute pass, in one line."""

    def __init__(self) -> None:
        super().__init__()
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
            why = f"{why}: {record.exc_info[1]!r}"
        record.msg = (
            "Datadog's agent takes no traces, jobs go on. Is it running? DD_TRACE_AGENT_URL says "
            "where. (%.400s)"
        )
        record.args = (why,)
        record.exc_info = record.exc_text = None
        return True
