"""`Job`: one unit of work as producers and operators see it, and the states it goes through."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field


class JobStatus(StrEnum):
    """The states of the job lifecycle; the last three are terminal."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    RETRYING = "RETRYING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether a job in this state will never run again by itself."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


class Job(BaseModel):
    """A job as stored in Redis; `None` means that the field is not set.

    `max_retries` is the total number of attempts. Datetimes carry their time zone (UTC).
    """

    model_config = ConfigDict(extra="ignore")

    id: str = Field(default_factory=lambda: str(uuid4()))
    function_name: str
    job_args: list[Any] = Field(default_factory=list)
    job_kwargs: dict[str, Any] = Field(default_factory=dict)
    enqueue_time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    status: JobStatus = JobStatus.PENDING
    current_retries: int = 0
    lost_count: int = 0
    queue_name: str | None = None
    next_scheduled_run_time: datetime | None = None
    max_retries: int | None = None
    job_timeout_seconds: int | None = None
    result_ttl_seconds: int | None = None
    job_unique_key: str | None = None
    trace_context: dict[str, str] | None = None
    dlq_name: str | None = None
    start_time: datetime | None = None
    worker_id: str | None = None
    completion_time: datetime | None = None
    result: Any = None
    last_error: str | None = None
