"""`OnceAMinute`: keeps what a library says again and again to one line a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

EVERY_SECONDS = 60.0


class OnceAMinute(logging.Filter):
    """Of the records that it concerns, lets one a minute pass, told in one line."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at = -EVERY_SECONDS

    def concerns(self, record: logging.LogRecord) -> bool:
        """Whether the record is of the kind; others pass as they stand."""
        return True

    def told(self, why: str, error: BaseException | None) -> str:
        """The line for a record that says why, with this exception if it came with one."""
        raise NotImplementedError

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes, which is changed if it does."""
        if not self.concerns(record):
            return True
        now = time.monotonic()
        if now - self._passed_at < EVERY_SECONDS:
            return False
        self._passed_at = now
        error = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = self.told(record.getMessage(), error), None
        record.exc_info = record.exc_text = None
        return True

    def add_to(self, names: Iterable[str]) -> None:
        """Filter the loggers of these names, but for those that a filter of this class has."""
        for name in names:
            logger = logging.getLogger(name)
            if not any(isinstance(one, type(self)) for one in logger.filters):
                logger.addFilter(self)
