"""`[rrq.plugins.logfire]`: how Logfire is configured where no application does it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rrq.telemetry.correlation import CorrelatedConfig


class LogfireConfig(CorrelatedConfig):
    """The plugin's table. Logfire's own variables `LOGFIRE_*` win over it."""

    token: str | None = Field(
        default=None,
        description="The write token of the Logfire project; LOGFIRE_TOKEN wins.",
    )
    send_to_logfire: bool | Literal["if-token-present"] = Field(
        default="if-token-present",
        description="false sends nothing to Logfire; LOGFIRE_SEND_TO_LOGFIRE wins. Without a "
        "token nothing is sent, and nobody is asked for one.",
    )
    service_name: str = Field(
        default="rrq",
        description="The service's name in processes that have no application; "
        "LOGFIRE_SERVICE_NAME and OTEL_SERVICE_NAME win.",
    )
    environment: str | None = Field(
        default=None,
        description="Such as production or staging; LOGFIRE_ENVIRONMENT wins.",
    )
    console: bool = Field(
        default=False,
        description="Whether spans are also written to stderr; LOGFIRE_CONSOLE wins.",
    )
