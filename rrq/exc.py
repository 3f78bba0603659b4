"""Every exception of the public API, in one tree under `RRQError`.

A message says what happened, to what, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence

from rrq.wording import counted, told_error

_MOST_TOLD = 10


class RRQError(Exception):
    """The root of every exception that RRQ raises on purpose."""


class ConfigError(RRQError, ValueError):
    """The configuration cannot be used: the message names the file, the key and the remedy."""

    @classmethod
    def of(cls, problems: Sequence[str]) -> ConfigError:
        """An error that tells of all these, each on lines of its own; of ten at most."""
        more = len(problems) - _MOST_TOLD
        rest = [f"And {counted(more, 'more problem')}."] if more > 0 else []
        return cls("\n".join([*problems[:_MOST_TOLD], *rest]))


class ConfigNotFound(ConfigError, FileNotFoundError):
    """No configuration file stands where one was asked for."""


class RedisUnavailable(RRQError):
    """Redis cannot be reached or refuses us; the message names the address, never a password."""


class WorkerStuck(RRQError):
    """A worker could claim nothing for as long as it was told to bear."""


class PluginError(RRQError):
    """A plugin is missing, broken, disabled or in conflict with another one."""


class EmbeddedRedisError(RRQError):
    """The private Redis server could not be found or did not start."""


class RetryJob(RRQError):
    """Raised by a handler to have its job run again.

    Args:
        message: kept as the job's `last_error`.
        defer_seconds: the delay before the next attempt; `None` takes the usual backoff.
    """

    def __init__(
        self, message: str = "Job requested retry", defer_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.defer_seconds = defer_seconds


class HandlerNotFound(RRQError):
    """No handler is registered under the name that the job asks for."""


class JobNotFound(RRQError):
    """No job with this id is in Redis: it never was, or its result TTL is over."""


class MalformedJob(RRQError, ValueError):
    """A job's hash in Redis cannot be read; the message names the job and the field."""


class MaxRetriesExceeded(RRQError):
    """A job used up its attempts."""


class JobFailed(RRQError):
    """A job that was waited for did not complete.

    Attributes:
        job_id: which job.
        status: its terminal status, `FAILED` or `CANCELLED`.
        error: its `last_error`, if it has one.
        error_type: the exception's type, if the executor told it.
    """

    def __init__(
        self, job_id: str, status: str, error: str | None, error_type: str | None = None
    ) -> None:
        told = told_error(error, error_type)
        super().__init__(f"Job {job_id} ended {status}" + (f": {told}" if told else ""))
        self.job_id = job_id
        self.status = status
        self.error = error
        self.error_type = error_type


class DuplicateJob(RRQError):
    """A unique key is held by another job.

    Attributes:
        unique_key: the key.
        holder_id: the job that holds it.
    """

    def __init__(self, unique_key: str, holder_id: str) -> None:
        super().__init__(f"Unique key {unique_key!r} is held by job {holder_id}")
        self.unique_key = unique_key
        self.holder_id = holder_id


class JobAlreadyRunning(RRQError):
    """A job cannot be rescheduled or replaced while a worker runs it.

    Attributes:
        job_id: the running job.
    """

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"Job {job_id} is running: wait for its end, or cancel it, before enqueuing it again"
        )
        self.job_id = job_id


class ExecutorError(RRQError):
    """Something is wrong with an executor, not with the job that it ran."""


class ExecutorStartError(ExecutorError):
    """An executor did not come up; the message holds what it printed."""


class ExecutorLost(ExecutorError):
    """An executor went away before it answered; its job is released and the loss is counted.

    Attributes:
        cause: why, for the record: an exit status, a signal, a protocol violation.
        penalty: whether the loss counts against the job (`lost_count`). It does not when
            the process was ended on purpose, because of a neighbour in the same process.
    """

    def __init__(self, cause: str, *, penalty: bool = True) -> None:
        super().__init__(cause)
        self.cause = cause
        self.penalty = penalty
