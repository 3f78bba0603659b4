"""`rrq worker`: run the orchestrator."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from rrq.cli import options, render
from rrq.cli.groups import command_group
from rrq.hookspecs import hookimpl

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from rrq.config import LoadedSettings
    from rrq.orchestrator.worker import Worker
    from rrq.plugins import Plugins


@hookimpl
def rrq_commands(app: typer.Typer) -> None:
    """Add the group `rrq worker`."""
    group = command_group(app, "worker", "Run jobs.")
    group.command("run")(run)


def run(
    queue: options.QueuesOption = None,
    burst: Annotated[
        bool, typer.Option("--burst", help="End when no job is due and none runs.")
    ] = False,
    embedded_redis: Annotated[
        bool,
        typer.Option(
            "--embedded-redis",
            help="Start a private Redis at the configured address, in memory, for as long as "
            "the worker runs.",
        ),
    ] = False,
    log_format: Annotated[
        str, typer.Option("--log-format", metavar="FORMAT", help="console or json.")
    ] = "console",
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error.")
    ] = "info",
    pool_size: Annotated[
        int | None,
        typer.Option(
            "--pool-size",
            min=1,
            help="Processes of each executor, whatever the configuration says.",
        ),
    ] = None,
    log_successes: Annotated[
        bool, typer.Option("--log-successes", help="Log each success at INFO, not at DEBUG.")
    ] = False,
    exit_when_stuck: Annotated[
        float | None,
        typer.Option(
            "--exit-when-stuck",
            metavar="SECONDS",
            min=1,
            help="End with exit code 1 when no job could be claimed for this long, for "
            "supervisors that restart.",
        ),
    ] = None,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
) -> None:
    """Claim due jobs and have the configured executors run them.

    Example: rrq worker run --queue urgent --queue default

    Several queues are served in the order given: the first one first. SIGTERM or Ctrl-C lets
    running jobs end within the grace period; a second one stops at once. No job is lost.
    """
    from rrq.store.keys import Keys

    _configure_logging(log_format, log_level)
    loaded = options.load(config, redis_dsn, require_file=True)
    plugins = options.plugins(config)
    options.check_queue_names(Keys(loaded.settings.key_prefix), queue or [], "--queue")
    options.check_configuration(loaded, plugins)
    _tell_executors(loaded, redis_dsn)
    settings = loaded.settings
    if pool_size is not None:
        from rrq.config.executors import with_pool_size

        settings = with_pool_size(settings, plugins, pool_size)
    with ExitStack() as stack:
        if embedded_redis:
            from rrq.embedded import EmbeddedRedis

            stack.enter_context(EmbeddedRedis.at(loaded.settings.redis_dsn))
        from rrq.orchestrator.worker import Worker

        make = partial(
            Worker,
            settings,
            plugins,
            queues=queue or [],
            burst=burst,
            log_successes=log_successes,
            exit_when_stuck_seconds=exit_when_stuck,
        )
        _run_loop(loaded, plugins, make, _speaker(log_format))


def _tell_executors(loaded: LoadedSettings, redis_dsn: str | None) -> None:
    """Have executors find the same configuration: they inherit this environment."""
    if loaded.path is not None:
        os.environ["RRQ_CONFIG"] = str(loaded.path.resolve())
    if redis_dsn is not None:
        os.environ["RRQ_REDIS_DSN"] = redis_dsn


def _run_loop(
    loaded: LoadedSettings,
    plugins: Plugins,
    make_worker: Callable[[], Worker],
    announce: Callable[[str], None],
) -> None:
    import asyncio

    async def work() -> None:
        from rrq.orchestrator.signals import on_signals

        worker = make_worker()
        with on_signals(worker.stop, worker.stop_now):
            for line in _announcement(loaded, plugins, worker):
                announce(line)
            await worker.run()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work())


def _speaker(log_format: str) -> Callable[[str], None]:
    """Where the announcement goes: to people, or into a log of which machines read every line."""
    if log_format != "json":
        return render.note
    import logging

    return logging.getLogger("rrq.worker").info


def _announcement(loaded: LoadedSettings, plugins: Plugins, worker: Worker) -> tuple[str, str]:
    """A line about which configuration this is, and one about what it makes the worker do."""
    from rrq.store.connection import describe_address

    source = f"{loaded.path} ({loaded.reason})" if loaded.path else loaded.reason
    active = [one.name for one in plugins.records() if one.status == "active"]
    return (
        f"Configuration: {source}",
        f"Worker {worker.worker_id}: queues {', '.join(worker.queues)}; "
        f"executors {', '.join(worker.lanes)}; plugins {', '.join(active) or 'none'}; "
        f"Redis {describe_address(loaded.settings.redis_dsn)}",
    )


def _configure_logging(log_format: str, log_level: str) -> None:
    from rrq.cli.logs import configure_logging

    if log_format not in ("console", "json"):
        raise typer.BadParameter(
            f"{log_format!r} is neither console nor json.", param_hint="--log-format"
        )
    try:
        configure_logging("json" if log_format == "json" else "console", log_level)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--log-level") from None


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is installed: a third less time for each job."""
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop  # type: ignore[no-any-return]
