"""`PluginRecord`: what is known of one plugin, for `rrq plugins` and for messages about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PluginStatus = Literal["active", "disabled", "failed", "builtin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRecord:
    """One plugin: where it comes from, how it is, and what it adds.

    Attributes:
        name: the entry point's name; a built-in plugin has its module's.
        version: of the distribution.
        distribution: that the plugin was installed with.
        module: what the entry point names, as in `rrq_otel.plugin`.
        status: `failed` also if only a part of it failed; `reason` says which.
        reason: why it failed or what disabled it.
        description: the distribution's own summary.
        transports: the executor types that it offers.
        commands: its commands, as typed after `rrq`.
        telemetry: whether it has a tracing backend.
        routing: whether it chooses executors.
        lifecycle: whether it acts when a worker starts or stops.
        checks: whether it adds to `rrq check`.
        config_model: the model of its table in the configuration, as `module:Class`.
    """

    name: str
    version: str
    distribution: str
    module: str
    status: PluginStatus
    reason: str | None = None
    description: str | None = None
    transports: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    telemetry: bool = False
    routing: bool = False
    lifecycle: bool = False
    checks: bool = False
    config_model: str | None = None

    @property
    def is_builtin(self) -> bool:
        """Whether it is RRQ's own."""
        return self.distribution == "rrq"

    @property
    def origin(self) -> str:
        """The plugin and its distribution, as messages name it: `otel (rrq-otel 1.0)`."""
        return f"{self.name} ({self.distribution} {self.version})"

    @property
    def adds(self) -> tuple[str, ...]:
        """What it adds, in a few words each, as in `transport stdio`."""
        kinds = ("telemetry", "routing", "lifecycle", "checks")
        return (
            *(f"transport {name}" for name in self.transports),
            *(f"command {name}" for name in self.commands),
            *(kind for kind in kinds if getattr(self, kind)),
        )
