"""`rrq check`: is RRQ well here?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import options, render
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.store.store import JobStore


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add `rrq check`, and its old name `rrq health`."""
    app.command("check")(check)
    app.command("health", hidden=True)(check)


def check(
    config_only: Annotated[
        bool,
        typer.Option(
            "--config-only",
            help="Validate the configuration and show each value with its origin.",
        ),
    ] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Check that Redis answers and that workers live and claim; exits with 1 if not.

    Example: rrq check --config-only
    """
    if config_only:
        _show_configuration(config, redis_dsn, json)
        return
    from rrq.cli.session import session

    async def ask(
        store: JobStore,
    ) -> tuple[list[tuple[str, dict[str, Any] | None, float | None]], set[str]]:
        workers = [
            (worker_id, *await store.workers.health(worker_id))
            for worker_id in await store.workers.ids()
        ]
        return workers, await store.queues.paused()

    workers, paused = session(config, redis_dsn, ask)
    alive = [one for one in workers if one[1]]
    columns = ["worker", "status", "active jobs", "capacity", "queues", "last heartbeat"]
    render.table(
        [*columns, "ttl seconds", "paused"],
        [
            (
                worker_id,
                # Whatever stands there, it is shown: somebody else may have written it.
                health.get("status", "(its health cannot be read)"),
                health.get("active_jobs"),
                health.get("concurrency_limit"),
                _joined(health.get("queues")),
                health.get("timestamp"),
                ttl_seconds and round(ttl_seconds),
                _joined(_among(health.get("queues"), paused)),
            )
            for worker_id, health, ttl_seconds in workers
            if health is not None
        ],
        json=json,
        empty="No worker is alive: start one with `rrq worker run`.",
    )
    if not alive or any(_is_stuck(health) for _, health, _ in alive if health):
        raise typer.Exit(1)


def _is_stuck(health: dict[str, Any]) -> bool:
    return str(health.get("status")).startswith("stuck")


def _among(names: Any, paused: set[str]) -> list[str]:
    return [str(name) for name in names if str(name) in paused] if isinstance(names, list) else []


def _joined(names: Any) -> Any:
    return ", ".join(map(str, names)) if isinstance(names, list) else names


def _show_configuration(config: str | None, redis_dsn: str | None, json: bool) -> None:
    from rrq.config import effective_configuration
    from rrq.cron import cron_entries

    loaded = options.load(config, redis_dsn)
    render.table(["key", "value", "origin"], effective_configuration(loaded), json=json)
    cron_entries(loaded.settings)
    options.check_configuration(loaded, options.plugins(config))
