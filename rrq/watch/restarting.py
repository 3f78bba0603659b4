"""`run_and_restart`: keeps a worker going that has the newest code.

A worker that ends by itself, for its code does not even compile, stays down until the next
change.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from rrq.exc import RRQError
from rrq.watch.changes import Selection
from rrq.watch.worker_process import WorkerProcess

LOOK_MS = 200
"""How often it is looked whether the worker still runs."""

GATHER_MS = 400
"""How long changes that follow each other count as one, at most."""

MOST_NAMED = 3


def run_and_restart(
    root: Path, selection: Selection, arguments: Sequence[str], tell: Callable[[str], None]
) -> None:
    """Run a worker until SIGINT or SIGTERM, and start it anew at every change.

    Args:
        root: the directory to watch, an absolute path without links.
        arguments: what stands behind `rrq worker run`.
        tell: is given every line for people.

    Raises:
        RRQError: the directory cannot be watched, or the library for that is missing.
    """
    with _stopped_by_signals() as stopping:
        worker: WorkerProcess | None = None
        try:
            for paths in _changes(root, selection, stopping):
                if worker is None:
                    # The first answer comes when the directory is being watched.
                    tell(f"Watching {root}")
                    worker = WorkerProcess(arguments)
                    is_up = True
                elif changed := selection.changed(paths):
                    tell(f"Changed: {_named(changed)}")
                    tell("Restarting worker...")
                    worker.stop()
                    if stopping.is_set():
                        break
                    worker = WorkerProcess(arguments)
                    is_up = True
                elif is_up and worker.exit_code is not None:
                    is_up = False
                    tell(f"The worker ended, exit code {worker.exit_code}. Waiting for a change.")
        finally:
            if worker is not None:
                worker.stop()


def _changes(root: Path, selection: Selection, stopping: Event) -> Iterator[set[str]]:
    """The paths of what changed, every so often; empty at first, and when nothing did."""
    try:
        from watchfiles import watch
    except ImportError:
        raise RRQError("`rrq worker watch` needs watchfiles: pip install 'rrq[watch]'") from None
    batches = watch(
        root,
        watch_filter=lambda change, path: selection.has(path),
        debounce=GATHER_MS,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        stop_event=stopping,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )
    try:
        for batch in batches:
            yield {path for _, path in batch}
    except OSError as error:
        raise RRQError(
            f"{root} cannot be watched: {error.strerror or error}. Name a smaller directory with "
            "--path, or set WATCHFILES_FORCE_POLLING=1."
        ) from error


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set instead of what they do otherwise."""
    stopping = Event()
    before = {
        number: signal.signal(number, lambda *_: stopping.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - MOST_NAMED
    return ", ".join(paths[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
