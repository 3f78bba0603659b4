"""What a command imports before it answers: nothing that it does not need, and no stranger."""

from __future__ import annotations

import os

import pytest

from rrq.cli.app import STARTERS, build
from tests.support.distributions import Site

VARIABLE = "PYDANTIC_DISABLE_PLUGINS"


def modules_after(site: Site, *words: str) -> set[str]:
    """What is imported when a command has run in a pipe."""
    told = site.python(
        f"""
        import sys
        from rrq.cli.main import run

        assert run({list(words)!r}) == 0
        print(*sys.modules)
        """,
        cold=True,
    )
    return set(told.splitlines()[-1].split())


def test_the_help_needs_no_heavy_module(site: Site) -> None:
    imported = modules_after(site, "--help")

    heavy = {"asyncio", "redis", "pydantic", "msgspec", "croniter", "rich", "dateutil"}
    heavy |= {"opentelemetry", "logfire", "ddtrace", "prometheus_client", "textual", "watchfiles"}
    assert imported & heavy == set()


def test_a_look_at_the_queues_needs_only_what_speaks_to_redis(site: Site, redis_dsn: str) -> None:
    imported = modules_after(site, "queue", "list", "--redis-dsn", redis_dsn)

    heavy = {"croniter", "rich", "logfire", "requests", "ddtrace", "prometheus_client", "textual"}
    assert imported & {*heavy, "rrq.orchestrator.worker", "rrq.doctor", "rrq.embedded"} == set()


def test_what_is_installed_for_pydantic_is_not_imported_by_an_operators_command(
    site: Site, redis_dsn: str
) -> None:
    site.install("rrq-noisy", "raise SystemExit('this must not be imported')")
    (site.path / "rrq_noisy-1.0.dist-info" / "entry_points.txt").write_text(
        "[pydantic]\nnoisy = rrq_noisy\n"
    )

    for leading in ((), ("--no-plugins",)):
        ran = site.rrq(*leading, "queue", "list", "--redis-dsn", redis_dsn, cold=True)

        assert (ran.returncode, ran.stderr) == (0, "No job waits in any queue.\n")


@pytest.mark.parametrize("command", sorted(STARTERS))
def test_programs_of_the_user_find_their_environment_as_it_was(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv(VARIABLE, "x")
    monkeypatch.delenv(VARIABLE)

    build([command, "--help"])

    assert VARIABLE not in os.environ
