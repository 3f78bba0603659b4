"""`Summary`: what a heap of dead letters has in common, counted letter by letter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from rrq.store.dead_letter import DeadLetter

LONGEST_LINE = 300
"""As much of an error's first line makes its pattern."""


@dataclass
class Summary:
    """Dead letters by function, queue and kind of error.

    Attributes:
        total: how many there are, the expired ones included.
        expired: entries whose hash has expired; nothing more is known of them.
        oldest, newest: when the first and the last of them failed.
        functions, queues, errors: how many there are of each; errors by their pattern.
        examples: by pattern, the id and the error of the first one that was met.
    """

    total: int = 0
    expired: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    functions: Counter[str] = field(default_factory=Counter)
    queues: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)
    _failed_attempts: int = 0
    _counted: int = 0

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Count these as well."""
        for letter in letters:
            self.total += 1
            if letter.is_expired:
                self.expired += 1
                continue
            if letter.failed_at:
                self.oldest = min(self.oldest or letter.failed_at, letter.failed_at)
                self.newest = max(self.newest or letter.failed_at, letter.failed_at)
            if letter.failed_attempts is not None:
                self._failed_attempts += letter.failed_attempts
                self._counted += 1
            self.functions[letter.function_name or UNKNOWN] += 1
            self.queues[letter.queue or UNKNOWN] += 1
            error = letter.told_error or ""
            pattern = error_pattern(error)
            self.errors[pattern] += 1
            self.examples.setdefault(pattern, (letter.job_id, _first_line(error)))

    @property
    def average_failed_attempts(self) -> float | None:
        """How many attempts each of them had on average; None if that is not known of any."""
        return self._failed_attempts / self._counted if self._counted else None


UNKNOWN = "(not set)"


def error_pattern(error: str) -> str:
    """The first line of an error without what differs from one job to the next: ids, numbers
    and addresses."""
    return _VARYING.sub(lambda found: f"<{found.lastgroup}>", _first_line(error)) or UNKNOWN


def _first_line(error: str) -> str:
    return error.strip().partition("\n")[0].strip()[:LONGEST_LINE]


# The earlier of two that fit at the same place counts.
_VARYING = re.compile(
    r"""
      \b(?P<id>
          [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}     # a UUID
        | (?=[0-9a-f]{0,63}[a-f])(?=[0-9a-f]{0,63}[0-9])[0-9a-f]{8,64}\b   # a digest
        | (?=[a-z_-]{0,63}[0-9])(?=[0-9_-]{0,63}[a-z])[0-9a-z_-]{20,64}\b  # a token
      )
    | (?P<address>
          0x[0-9a-f]+
        | https?://[^\s'"<>]+
        | [\w.+-]{1,64}@[\w-]+\.[\w.-]*\w
        | \b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?\b
        | \[[0-9a-f:]*:[0-9a-f:]*\](?::[0-9]+)?
      )
    | (?P<number>[0-9]+(?:[.,][0-9]+)*)
    """,
    re.VERBOSE | re.IGNORECASE,
)
