"""`examine` and `wait_until_well`: everything that `rrq check` tells, as one `Report`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from rrq.exc import RedisUnavailable
from rrq.health.asking import ask
from rrq.health.finding import Finding, State, worst
from rrq.health.plugin_checks import run_checks
from rrq.health.server import judge_server
from rrq.health.work import judge_work
from rrq.store.connection import connect, require_redis, unavailable
from rrq.store.store import JobStore

if TYPE_CHECKING:
    from rrq.health.facts import Facts
    from rrq.hookspecs import Check
    from rrq.settings import RRQSettings

POLL_SECONDS = 0.5
"""How often somebody who waits looks again."""


@dataclass(frozen=True, slots=True)
class Report:
    """How RRQ is.

    Attributes:
        findings: one for each check.
        facts: what they were judged from; None if Redis could not be asked.
        unavailable: why it could not.
    """

    findings: tuple[Finding, ...]
    facts: Facts | None = None
    unavailable: RedisUnavailable | None = None

    @property
    def state(self) -> State:
        """The worst state of all findings."""
        return worst(finding.state for finding in self.findings)

    def is_well(self, strict: bool = False) -> bool:
        """Whether nothing failed; if `strict`, whether nothing deserves a warning either."""
        return self.state not in (("failed", "warning") if strict else ("failed",))


async def examine(
    store: JobStore, *, known: Sequence[Finding] = (), checks: Sequence[Check] = ()
) -> Report:
    """Ask Redis and the plugins' checks how all is. Changes nothing.

    Args:
        known: findings that were made already, to stand in the report too.
        checks: those that plugins add.
    """
    judging = asyncio.create_task(run_checks(checks))
    try:
        await require_redis(store.redis, store.settings)
        facts = await ask(store)
    except (RedisUnavailable, RedisError, OSError) as error:
        away = error if isinstance(error, RedisUnavailable) else unavailable(store.settings, error)
        return _report_without_redis(away, known, await judging)
    else:
        findings = [
            *judge_server(facts.server, facts.clock),
            *judge_work(facts, store.keys.bare_queue),
            *known,
            *await judging,
        ]
        return Report(tuple(findings), facts)
    finally:
        judging.cancel()


async def wait_until_well(
    settings: RRQSettings,
    *,
    wait_seconds: float = 0.0,
    strict: bool = False,
    known: Sequence[Finding] = (),
    checks: Sequence[Check] = (),
    looked: Callable[[float], None] = lambda seconds: None,
) -> Report:
    """Examine until all is well or the time is over; the last report. Without a time to wait,
    examine once.

    Args:
        strict: whether warnings are to be gone, too.
        looked: told after each look how many seconds have passed.

    Raises:
        ConfigError: the DSN cannot be used.
    """
    # Somebody waits for the answer: no second try at a server that does not answer.
    store = JobStore(settings, redis=connect(settings, retries=0))
    loop = asyncio.get_running_loop()
    began = loop.time()
    report: Report | None = None
    try:
        while True:
            left_seconds = began + wait_seconds - loop.time()
            try:
                async with asyncio.timeout(max(left_seconds, 0.0) if wait_seconds else None):
                    report = await examine(store, known=known, checks=checks)
            except TimeoutError:
                return report or _report_without_redis(
                    unavailable(settings, TimeoutError(f"no answer within {wait_seconds:g} s")),
                    known,
                    (),
                )
            passed = loop.time() - began
            looked(passed)
            if report.is_well(strict) or passed >= wait_seconds:
                return report
            await asyncio.sleep(min(POLL_SECONDS, wait_seconds - passed))
    finally:
        await store.aclose()


def _report_without_redis(
    away: RedisUnavailable, known: Sequence[Finding], added: Sequence[Finding]
) -> Report:
    return Report((Finding("redis", "failed", str(away)), *known, *added), unavailable=away)
