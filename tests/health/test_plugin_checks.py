"""What a plugin's check does wrong is its own finding, and nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from rrq.health.finding import Finding
from rrq.health.plugin_checks import run_checks
from rrq.hookspecs import Check


async def good() -> tuple[str, str]:
    return "ok", "all is well"


async def raising() -> Any:
    raise ConnectionError("refused\nby the server")


async def leaving() -> Any:
    raise SystemExit(3)


async def odd() -> Any:
    return "fine"


async def unknown_state() -> Any:
    return "great", "x"


def not_async() -> Any:
    return "ok", "x"


async def hanging() -> Any:
    await asyncio.sleep(3600)


async def blocking() -> Any:
    time.sleep(2)  # noqa: ASYNC251 # what a plugin must not do


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (raising, "The check raised ConnectionError: refused."),
        (leaving, "The check raised RuntimeError: it raised SystemExit."),
        (odd, "The check answered no state and message."),
        (unknown_state, "The check answered no state and message."),
        (not_async, "The check raised TypeError"),
        (hanging, "The check took longer than 0.2 s."),
        (blocking, "The check took longer than 0.2 s."),
    ],
)
async def test_a_check_that_goes_wrong_fails_alone(probe: Callable[[], Any], message: str) -> None:
    checks = [Check(name="bad", probe=probe), Check(name="good", probe=good)]  # type: ignore[arg-type]

    bad, well = await run_checks(checks, limit_seconds=0.2)

    assert (bad.check, bad.state) == ("bad", "failed")
    assert bad.message.startswith(message)
    assert well == Finding("good", "ok", "all is well")


async def test_the_limit_is_each_checks_own_not_that_of_all_together() -> None:
    checks = [Check(name=str(number), probe=hanging) for number in range(20)]  # type: ignore[arg-type]
    began = time.monotonic()

    findings = await run_checks(checks, limit_seconds=0.2)

    assert len(findings) == 20
    assert time.monotonic() - began < 2
