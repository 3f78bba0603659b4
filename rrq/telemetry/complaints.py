"""Complaints that do not fill the log: one line a minute, or one for each kind of error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

EVERY_SECONDS = 60.0

logger = logging.getLogger("rrq.telemetry")


class OnceAKind:
    """Tells of what a backend raised, once for each method and kind of error.

    Args:
        name: the backend's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: set[tuple[str, type[BaseException]]] = set()

    def tell(self, call: Callable[..., Any], error: Exception) -> None:
        """This call raised this error."""
        kind = (name_of(call), type(error))
        if kind not in self._told:
            self._told.add(kind)
            logger.warning(
                "Telemetry %s: %s failed, jobs go on: %.500r", self._name, kind[0], error
            )


def name_of(call: Callable[..., Any]) -> str:
    """What a call is called in a message."""
    return getattr(call, "__qualname__", None) or repr(call)


class Losses:
    """Counts what is lost, which is to be told at most once a minute."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._told_at = -EVERY_SECONDS

    def add(self, count: int) -> None:
        """So many were lost."""
        self._count = (self._count or 0) + count

    def to_tell(self) -> int | None:
        """How many are to be told of now, which counts as done; None if none, or not yet."""
        now = time.monotonic()
        if self._count is None or now - self._told_at < EVERY_SECONDS:
            return None
        count, self._count, self._told_at = self._count, None, now
        return count


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
