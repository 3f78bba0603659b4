"""`DeadLetter`: what is asked about a job that failed for good, and `Wanted`: which of them.

Nothing here touches Redis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rrq.store.error_types import error_type_of
from rrq.store.lenient import count_of, text_of, time_of
from rrq.store.matching import has_text, is_function
from rrq.store.replies import text
from rrq.wording import told_error

if TYPE_CHECKING:
    from rrq.store.keys import Keys

FIELDS = ("function_name", "queue_name", "last_error", "completion_time", "current_retries")
"""The fields of a job's hash that a `DeadLetter` is made from; `attempts` may follow them."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One entry of a dead letter queue. What is not set, or cannot be read, is None.

    Attributes:
        is_expired: the entry stands for nothing: there is no hash any more.
        queue: the bare name of its queue.
        failed_attempts: how many attempts failed.
        error_type: the exception's type, if the attempts were read too.
        death: `completion_time` as it is written, which tells this death from another one.
    """

    job_id: str
    is_expired: bool = False
    function_name: str | None = None
    queue: str | None = None
    error: str | None = None
    failed_at: datetime | None = None
    failed_attempts: int | None = None
    error_type: str | None = None
    death: str = ""

    @property
    def told_error(self) -> str | None:
        """The error with its type, if that is known."""
        return told_error(self.error, self.error_type)

    @classmethod
    def read(cls, job_id: str, values: Sequence[bytes | None], keys: Keys) -> DeadLetter:
        """The dead letter of a job whose hash has these values of `FIELDS`, and of `attempts`."""
        function_name, queue, error, ended, failed_attempts, *attempts = values
        return cls(
            job_id,
            function_name=text_of(function_name),
            queue=keys.bare_queue(text(queue)) if queue else None,
            error=text_of(error),
            failed_at=time_of(ended),
            failed_attempts=count_of(failed_attempts),
            error_type=error_type_of(attempts[0], text_of(error)) if attempts else None,
            death=text(ended) if ended else "",
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters are meant: those that fit everything that is set.

    Attributes:
        job_id: this one.
        queue: the bare name of its queue.
        function: its function, with or without the executor before the `#`.
        error: part of the error's text or type, in upper or lower case.
        since, until: when it failed; one whose time is not known fits no range.
    """

    job_id: str | None = None
    queue: str | None = None
    function: str | None = None
    error: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is set."""
        return self == EVERYTHING

    def fits_id(self, job_id: str) -> bool:
        """Whether a job of this id may fit, before anything else is known of it."""
        return self.job_id is None or self.job_id == job_id

    def fits(self, letter: DeadLetter) -> bool:
        """Whether this one is meant."""
        if not self.fits_id(letter.job_id):
            return False
        if self.queue is not None and letter.queue != self.queue:
            return False
        if self.function is not None and not is_function(letter.function_name, self.function):
            return False
        if self.error and not has_text(letter.told_error, self.error):
            return False
        return self._fits_time(letter.failed_at)

    def _fits_time(self, failed_at: datetime | None) -> bool:
        if self.since is None and self.until is None:
            return True
        if failed_at is None:
            return False
        return (self.since is None or failed_at >= self.since) and (
            self.until is None or failed_at <= self.until
        )


EVERYTHING = Wanted()
"""Every dead letter."""
