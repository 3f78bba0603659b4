"""`RRQSettings`: the typed configuration. Where its values come from is `rrq.config`'s part."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator


class ExecutorConfig(BaseModel):
    """One `[rrq.executors.NAME]` table.

    Only `type` is the kernel's; every other key belongs to the transport of that type, whose
    `config_model` validates it when a worker starts.
    """

    model_config = ConfigDict(extra="allow")

    type: str = "stdio"

    def transport_options(self) -> dict[str, Any]:
        """Every key of the table but `type`."""
        return dict(self.model_extra or {})


class CronJob(BaseModel):
    """One `[[rrq.cron_jobs]]` table: what is enqueued, and when."""

    model_config = ConfigDict(extra="forbid")

    function_name: str
    schedule: str
    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    queue_name: str | None = None
    unique: bool = False
    timezone: str | None = None
    misfire: Literal["skip", "run"] = "skip"
    name: str | None = None


class PluginsConfig(BaseModel):
    """`[rrq.plugins]`: which plugins are off, and a table for each plugin, by its name."""

    model_config = ConfigDict(extra="allow")

    disabled: list[str] = Field(default_factory=list)
    w3c_owner: str | None = None
    """Whose W3C headers travel with a job, where several tracing plugins write them."""

    def table(self, name: str) -> dict[str, Any]:
        """The plugin's own table, empty if the configuration has none."""
        return dict((self.model_extra or {}).get(name) or {})


class RRQSettings(BaseModel):
    """Everything that a producer, a worker or an operator's command can be told.

    Durations are seconds. `max_retries` is the total number of attempts of a job.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    redis_dsn: str = "redis://localhost:6379/0"
    key_prefix: str = Field(default="rrq", min_length=1)

    default_queue_name: str = "rrq:queue:default"
    default_dlq_name: str = "rrq:dlq:default"
    default_max_retries: int = Field(default=5, ge=1)
    default_job_timeout_seconds: int = Field(default=300, ge=1)
    default_result_ttl_seconds: int = Field(default=86_400, ge=0)
    default_unique_job_lock_ttl_seconds: int = Field(default=21_600, ge=1)
    default_poll_delay_seconds: float = Field(default=0.2, gt=0)
    """The longest that a job written without RRQ's enqueue step waits to be noticed."""

    base_retry_delay_seconds: float = Field(default=5.0, ge=0)
    max_retry_delay_seconds: float = Field(default=3_600.0, ge=0)
    retry_jitter: float = Field(default=0.0, ge=0, le=1)

    lease_seconds: float = Field(default=10.0, gt=0.1)
    max_lost: int = Field(default=5, ge=0)
    """How often a job's process may be lost under it before the job is dead-lettered."""

    worker_concurrency: int = Field(default=10, ge=1)
    """Accepted; the capacity of the configured executors decides."""
    worker_health_check_interval_seconds: float = Field(default=60.0, gt=0)
    worker_shutdown_grace_period_seconds: float = Field(default=10.0, ge=0)

    default_executor_name: str = "python"
    executors: dict[str, ExecutorConfig] = Field(default_factory=dict)
    executor_routes: dict[str, str] = Field(
        default_factory=dict, validation_alias=AliasChoices("executor_routes", "routing")
    )
    """Executor by queue, bare or full name."""

    cron_jobs: list[CronJob] = Field(default_factory=list)
    timezone: str | None = None
    plugins: PluginsConfig = Field(default_factory=PluginsConfig)

    expected_job_ttl: int = 30
    """Accepted for old configurations; leases made it needless."""
    default_lock_timeout_extension_seconds: int = 60
    """Accepted for old configurations; leases made it needless."""

    @model_validator(mode="before")
    @classmethod
    def _default_names_follow_the_prefix(cls, values: Any) -> Any:
        if isinstance(values, dict) and (prefix := values.get("key_prefix")):
            names = {
                "default_queue_name": f"{prefix}:queue:default",
                "default_dlq_name": f"{prefix}:dlq:default",
            }
            return {**names, **values}
        return values
