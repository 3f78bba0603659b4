"""`load_alone`: ddtrace with nothing but its tracer, for a process whose application has none.

Left to itself it would report to Datadog about itself, take hold of signals, and hold up forks and
the end of the process for as long as its agent does not answer.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from rrq_ddtrace.tracing import is_loaded

LAST_SECONDS = 1.0
"""How long the end of a process waits for what is being sent, after the flush."""

_TELEMETRY = "DD_INSTRUMENTATION_TELEMETRY_ENABLED"


def load() -> None:
    """Load ddtrace for an application that asks for it, without reports about itself that nobody
    asked for."""
    if not is_loaded():
        with _without_reports():
            import_module("ddtrace.trace")


def load_alone() -> bool:
    """Load ddtrace for RRQ alone, unless somebody else has loaded it; whether it was loaded here.

    Its end is bounded then, and SIGTERM and SIGINT are left to RRQ.
    """
    if is_loaded():
        return False
    problems: list[BaseException] = []
    with _without_reports():
        # Its signal handlers, which would end tracing before the last jobs do, come into being
        # only where it is loaded by the main thread.
        thread = threading.Thread(target=_load, args=(problems,), name="rrq-ddtrace-load")
        thread.start()
        thread.join()
    if problems:
        raise problems[0]
    atexit.register(_let_go)
    return True


def keep_forks_short() -> None:
    """Have a worker start its executors without waiting for what ddtrace is just sending.

    Around a fork it pauses its threads, which with an agent that hangs takes 20 s of the worker's
    event loop. It need not where the new process runs another program at once.
    """
    with suppress(ImportError, AttributeError):
        module: Any = import_module("ddtrace.internal.native_runtime")
        runtime = module.get_native_runtime()
        os.register_at_fork(
            before=runtime.before_python_fork, after_in_parent=runtime.after_python_fork_parent
        )


@contextmanager
def _without_reports() -> Iterator[None]:
    if _TELEMETRY in os.environ:
        yield
        return
    os.environ[_TELEMETRY] = "false"
    try:
        yield
    finally:
        # Processes that are started from here decide for themselves.
        os.environ.pop(_TELEMETRY, None)


def _load(problems: list[BaseException]) -> None:
    try:
        import_module("ddtrace.trace")
    except BaseException as error:
        problems.append(error)


def _let_go() -> None:
    """Have the end of the process not wait for the threads of ddtrace without bounds: with an agent
    that takes connections and never answers, that is 20 s. Runs before ddtrace's own waiting, for
    it was registered later."""
    api: Any = sys.modules.get("ddtrace.trace")
    with suppress(Exception):
        api.tracer.shutdown(LAST_SECONDS)
    module: Any = sys.modules.get("ddtrace.internal._threads")
    threads: dict[int, object] = getattr(module, "periodic_threads", {})
    _kept.extend(threads.values())
    threads.clear()


_kept: list[object] = []
"""A thread that is forgotten would be waited for too."""
