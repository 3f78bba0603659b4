"""The plugin `canary`: a percentage of a function's jobs goes to another executor."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import rrq

if TYPE_CHECKING:
    from rrq.hookspecs import Check, RoutableJob
    from rrq.settings import RRQSettings
    from rrq_canary.config import CanaryConfig

config_model = "rrq_canary.config:CanaryConfig"


@rrq.hookimpl
def rrq_route(
    job: RoutableJob, executors: tuple[str, ...], settings: RRQSettings | None
) -> str | None:
    """The canary's executor for the jobs that fall into its percentage."""
    if settings is None:
        return None
    canary = _configuration(settings).functions.get(job.function_name)
    # A name that is not configured would send every job of the canary to the dead letters.
    if canary is None or canary.executor not in executors:
        return None
    return canary.executor if share_of(job.job_id) < canary.percent else None


@rrq.hookimpl
def rrq_checks(settings: RRQSettings) -> list[Check]:
    """Tell of canaries whose executor is not configured."""
    from rrq.hookspecs import Check
    from rrq_canary.health import answer

    async def probe() -> tuple[Literal["ok", "warning", "failed"], str]:
        return answer(_configuration(settings), settings)

    return [Check(name="canary", probe=probe)]


def share_of(job_id: str) -> float:
    """Where a job stands among all jobs: from 0 to below 100, the same on every worker."""
    digest = hashlib.blake2b(job_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * 100


_last: tuple[RRQSettings, CanaryConfig] | None = None


def _configuration(settings: RRQSettings) -> CanaryConfig:
    # Every job asks: the table is read once for the settings of this worker.
    global _last
    if _last is None or _last[0] is not settings:
        from rrq.plugins import plugin_configuration
        from rrq_canary.config import CanaryConfig

        _last = settings, plugin_configuration(settings, "canary", CanaryConfig)
    return _last[1]
