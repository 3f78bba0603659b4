"""`answer`: what `rrq check` tells of the canaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq_canary.config import CanaryConfig


def answer(
    config: CanaryConfig, settings: RRQSettings
) -> tuple[Literal["ok", "warning", "failed"], str]:
    """A state, and one line that lists the canaries or names what is wrong with them."""
    lost = sorted(
        f"{canary.executor} (for {name})"
        for name, canary in config.functions.items()
        if canary.executor not in settings.executors
    )
    if lost:
        return "failed", f"No such executor: {', '.join(lost)}. Add it to [rrq.executors]."
    told = [
        f"{canary.percent:g} % of {name} to {canary.executor}"
        for name, canary in config.functions.items()
    ]
    return "ok", f"{', '.join(told) or 'No canary'}."
