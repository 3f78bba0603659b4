"""`rrq top`: the command. What it needs is imported when it runs, so that `rrq --help` is fast."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rrq.cli import options
from rrq.exc import RRQError

if TYPE_CHECKING:
    from rrq.store.store import JobStore
    from rrq_top.observer import Observer


def add_command(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("top")(top)


def top(
    queue: options.QueuesOption = None,
    interval: Annotated[
        float,
        typer.Option("--interval", metavar="SECONDS", min=0.1, max=3600, help="Between two looks."),
    ] = 1.0,
    once: Annotated[
        bool, typer.Option("--once", help="Print one look as plain text; so does a pipe.")
    ] = False,
    config: options.ConfigOption = None,
    redis_dsn: options.RedisDsnOption = None,
) -> None:
    """Watch queues, workers, running jobs and failures live; press ? for the keys.

    Example: rrq top --queue mail --interval 2
    """
    from rrq.cli.session import session

    if once or not sys.stdout.isatty():
        session(config, redis_dsn, lambda store: _print_frame(store, queue or []))
        return
    _require_terminal()
    code = session(config, redis_dsn, lambda store: _live(store, queue or [], interval))
    if code:
        raise typer.Exit(code)


def _require_terminal() -> None:
    """Raises RRQError if there is no terminal to draw on and to take keys from."""
    if os.environ.get("TERM") in ("dumb", ""):
        raise RRQError("This terminal cannot draw a screen: `rrq top --once` prints one look.")
    for name, stream in (("stdin", sys.stdin), ("stderr", sys.stderr)):
        if stream is None or not stream.isatty():
            raise RRQError(
                f"{name} is no terminal, which `rrq top` needs: `rrq top --once` prints one look."
            )


async def _print_frame(store: JobStore, queues: list[str]) -> None:
    import shutil

    from rrq_top.frame import frame

    observer = await _observer(store, queues)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(frame(await observer.snapshot(), width))


async def _live(store: JobStore, queues: list[str], interval_seconds: float) -> int:
    import asyncio
    import signal
    from contextlib import suppress

    from rrq_top.app import TopApp

    app = TopApp(await _observer(store, queues), interval_seconds=interval_seconds)
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP"):
        # Windows has no signal handlers of a loop, and only one of these.
        with suppress(NotImplementedError, AttributeError):
            loop.add_signal_handler(getattr(signal, name), app.exit)
    # The mouse stays the terminal's: people select and copy ids with it.
    await app.run_async(mouse=False)
    return app.return_code or 0


async def _observer(store: JobStore, queues: list[str]) -> Observer:
    """What looks; raises RRQError if there is no such queue."""
    from rrq.cli.render import printable
    from rrq.suggestion import did_you_mean
    from rrq_top.observer import Observer, configured_queues

    observer = Observer(store, queues)
    if observer.only:
        counted, named = await store.statistics.names("queue"), await store.queues.names()
        known = {*counted, *named, *await store.queues.paused(), *configured_queues(store)}
        sizes = await store.queues.sizes(observer.only)
        for name in observer.only:
            if name not in known and not sizes[name]:
                guess = did_you_mean(name, sorted(known))
                raise RRQError(f"There is no queue {printable(name)}.{guess}")
    return observer
