"""`[rrq.plugins.prometheus]`: where a worker can be asked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_PORT = 9464
LAST_PORT = 65535


class PrometheusConfig(BaseModel):
    """The plugin's table."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(
        "127.0.0.1", min_length=1, description="The address to listen at; 0.0.0.0 for every one."
    )
    port: int | None = Field(
        None,
        ge=0,
        le=LAST_PORT,
        description=f"The port, 0 for any free one; not set, {DEFAULT_PORT} if that is free. "
        "RRQ_PROMETHEUS_PORT wins.",
    )
    ready_within_seconds: float = Field(
        15.0, gt=0, description="How recent the last claim of a ready worker is."
    )
