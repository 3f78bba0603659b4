"""`rrq check`: is RRQ well here?"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rrq.cli import options, render
from rrq.cli.sentences import sentences
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    from rrq.config import LoadedSettings
    from rrq.health.examination import Report
    from rrq.health.facts import Facts, WorkerFacts
    from rrq.health.finding import Finding
    from rrq.hookspecs import Check
    from rrq.plugins import Plugins

LOADING_LIMIT_SECONDS = 10.0
"""How long the import of all plugins may take."""


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
    strict: Annotated[bool, typer.Option("--strict", help="Fail at warnings, too.")] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for all to be well."),
    ] = 0.0,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
    json: options.JsonOption = False,
) -> None:
    """Check Redis, workers, queues, clocks, the configuration and plugins' own checks.

    Example: rrq check --wait 30

    Exits with 1 if something failed. `rrq doctor` looks at the jobs themselves.
    """
    if config_only:
        _show_configuration(config, redis_dsn, json)
        return
    loaded = options.load(config, redis_dsn)
    report = _examined(loaded, config, wait, strict)
    if json:
        render.print_json(_as_json(report, strict))
    if report.unavailable:
        raise report.unavailable
    if not json:
        _show(report)
    if not report.is_well(strict):
        raise typer.Exit(1)


# -- asking -----------------------------------------------------------------------------


def _examined(loaded: LoadedSettings, config: str | None, wait: float, strict: bool) -> Report:
    import asyncio

    from rrq.health.examination import wait_until_well

    async def examined() -> Report:
        known, checks = await _from_plugins(loaded, config)
        seconds_shown = 0
        shown = render.progress(round(wait), "Waiting for all to be well")
        with shown if wait else nullcontext(lambda seconds: None) as advance:

            def looked(passed_seconds: float) -> None:
                nonlocal seconds_shown
                advance(int(passed_seconds) - seconds_shown)
                seconds_shown = int(passed_seconds)

            return await wait_until_well(
                loaded.settings,
                wait_seconds=wait,
                strict=strict,
                known=known,
                checks=checks,
                looked=looked,
            )

    return asyncio.run(examined())


async def _from_plugins(
    loaded: LoadedSettings, config: str | None
) -> tuple[list[Finding], list[Check]]:
    """How the configuration and the plugins are, and the checks that these add."""
    from rrq.health.finding import Finding
    from rrq.health.plugin_checks import within

    def load() -> tuple[list[Finding], list[Check]]:
        plugins = options.plugins(config)
        checks = plugins.checks(loaded.settings)
        return [_configuration(loaded, plugins), _loading(plugins)], checks

    try:
        return await within(LOADING_LIMIT_SECONDS, load)
    except TimeoutError:
        message = (
            f"Importing them took longer than {LOADING_LIMIT_SECONDS:g} s: "
            "`rrq --no-plugins check` does without."
        )
        return [Finding("plugins", "failed", message)], []


def _configuration(loaded: LoadedSettings, plugins: Plugins) -> Finding:
    from rrq.exc import ConfigError, PluginError
    from rrq.health.finding import Finding
    from rrq.wording import sentence

    try:
        options.check_configuration(loaded, plugins)
    except ConfigError as error:
        told = " ".join(map(sentence, str(error).splitlines()))
        return Finding("configuration", "failed", told)
    except PluginError as error:
        # This may be a machine where no worker is to run.
        return Finding("configuration", "warning", f"No worker would start here: {error}")
    where = f"{loaded.path} is valid." if loaded.path else "There is no file; all is default."
    return Finding("configuration", "ok", where)


def _loading(plugins: Plugins) -> Finding:
    from rrq.health.finding import Finding, State, summed_up

    if plugins.only_builtin:
        return Finding("plugins", "ok", "None is loaded: --no-plugins.")
    records = [one for one in plugins.registry.records() if not one.is_builtin]
    parts: list[tuple[State, str]] = [
        ("warning", f"Plugin {one.origin} failed: {one.reason}.")
        for one in records
        if one.status == "failed"
    ]
    active = [one.name for one in records if one.status == "active"]
    return summed_up("plugins", parts, f"Active: {', '.join(active) or 'none'}.")


# -- telling ----------------------------------------------------------------------------


def _show(report: Report) -> None:
    facts = report.facts
    assert facts is not None, "else it is an error"
    if facts.workers:
        columns = ["worker", "status", "active jobs", "capacity", "queues", "last heartbeat"]
        render.table([*columns, "ttl seconds", "paused"], _worker_rows(facts))
        print()
    if executors := _executor_rows(facts):
        columns = ["worker", "executor", "processes", "in flight", "capacity", "restarts"]
        render.table([*columns, "last error"], executors)
        print()
    sentences(
        ["check", "state", "finding"],
        [(one.check, one.state, one.message) for one in report.findings],
        on_terminal=[
            (one.check, one.message if one.state == "ok" else f"{one.state}: {one.message}")
            for one in report.findings
        ],
    )


def _worker_rows(facts: Facts) -> list[tuple[Any, ...]]:
    return [
        (
            worker.worker_id,
            # Whatever stands there, it is shown: somebody else may have written it.
            worker.health.get("status", "(its health cannot be read)"),
            worker.health.get("active_jobs"),
            worker.health.get("concurrency_limit"),
            ", ".join(worker.queues),
            render.time_or_text(worker.health.get("timestamp")),
            worker.ttl_seconds and round(worker.ttl_seconds),
            ", ".join(_paused(worker, facts)),
        )
        for worker in facts.workers
    ]


def _executor_rows(facts: Facts) -> list[tuple[Any, ...]]:
    return [
        (
            worker.worker_id,
            name,
            status.get("processes"),
            status.get("in_flight"),
            status.get("capacity"),
            status.get("restarts"),
            status.get("last_error"),
        )
        for worker in facts.workers
        for name, status in worker.executors.items()
    ]


def _as_json(report: Report, strict: bool) -> dict[str, Any]:
    facts = report.facts
    return {
        "ok": report.is_well(strict),
        "state": report.state,
        "checks": [
            {"check": one.check, "state": one.state, "message": one.message}
            for one in report.findings
        ],
        "workers": [_worker_json(one, facts) for one in facts.workers] if facts else [],
        "queues": [
            {
                "queue": queue.name,
                "waiting": queue.waiting,
                "due": queue.due,
                "first_due": queue.first_due_at,
                "paused": queue.is_paused,
            }
            for queue in (facts.queues if facts else ())
        ],
    }


def _worker_json(worker: WorkerFacts, facts: Facts) -> dict[str, Any]:
    return {
        "worker": worker.worker_id,
        "status": worker.health.get("status"),
        "active_jobs": worker.health.get("active_jobs"),
        "capacity": worker.health.get("concurrency_limit"),
        "queues": list(worker.queues),
        "last_heartbeat": render.time_or_text(worker.health.get("timestamp")),
        "ttl_seconds": worker.ttl_seconds and round(worker.ttl_seconds),
        "paused": _paused(worker, facts),
        "clock_skew_seconds": worker.skew_seconds and round(worker.skew_seconds, 3),
        "executors": worker.executors,
    }


def _paused(worker: WorkerFacts, facts: Facts) -> list[str]:
    paused = {queue.name for queue in facts.queues if queue.is_paused}
    return [name for name in worker.queues if name in paused]


def _show_configuration(config: str | None, redis_dsn: str | None, json: bool) -> None:
    from rrq.config import effective_configuration

    loaded = options.load(config, redis_dsn)
    render.table(["key", "value", "origin"], effective_configuration(loaded), json=json)
    options.check_configuration(loaded, options.plugins(config))
