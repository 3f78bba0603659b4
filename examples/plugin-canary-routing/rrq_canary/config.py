"""`[rrq.plugins.canary]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Canary(BaseModel):
    """One function's canary."""

    model_config = ConfigDict(extra="forbid")

    executor: str = Field(description="The executor that gets the percentage.")
    percent: float = Field(ge=0, le=100, description="How much of the jobs it gets.")


class CanaryConfig(BaseModel):
    """All canaries."""

    functions: dict[str, Canary] = Field(
        default_factory=dict, description="By function name, where its canary goes."
    )
