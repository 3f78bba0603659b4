"""What ddtrace says of an agent that takes no traces: one line a minute, which says what to do."""

from __future__ import annotations

import logging
import re

from rrq.telemetry.complaints import OnceAMinute

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
    _OneLine().add_to(_LOGGERS)


class _OneLine(OnceAMinute):
    def concerns(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING and bool(_UNTAKEN.search(record.getMessage()))

    def told(self, why: str, error: BaseException | None) -> str:
        if error is not None:
            why = f"{why}: {error!r}"
        return (
            "Datadog's agent takes no traces, jobs go on. Is it running? DD_TRACE_AGENT_URL says "
            f"where. ({why:.400})"
        )
