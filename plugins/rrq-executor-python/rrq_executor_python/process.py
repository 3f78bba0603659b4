"""The life of an executor process: start-up hook, hello, requests, the way out.

`run_process` is the whole of it, from the settings object to the exit status.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import platform
import signal
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from rrq.client import RRQClient
from rrq.executor_settings import LifecycleHook, PythonExecutorSettings
from rrq.protocol import Hello
from rrq.settings import RRQSettings
from rrq.telemetry import get_telemetry
from rrq.telemetry.flushing import flushed
from rrq_executor_python.failure import headline, log_failure, log_line
from rrq_executor_python.invocation import Invoker
from rrq_executor_python.runtime import Runtime

CLEAN_UP_SECONDS = 1.0
"""How long cancelled handlers may take to clean up, and outcomes to be written."""

T = TypeVar("T")

_OWN_FILES = frozenset({__file__})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """How a process runs.

    Attributes:
        requests_fd, outcomes_fd: descriptors of the protocol's two streams.
        features: what the orchestrator understands, from `RRQ_PROTOCOL_FEATURES`.
        max_in_flight: handlers at once.
        max_message_bytes: the longest line, in either direction.
        grace_seconds: how long running handlers may take when the process is told to end.
        has_orchestrator: whether a worker started it; Ctrl-C is then the worker's affair.
    """

    requests_fd: int
    outcomes_fd: int
    features: frozenset[str]
    max_in_flight: int
    max_message_bytes: int
    grace_seconds: float
    has_orchestrator: bool


def run_process(settings: PythonExecutorSettings, options: ProcessOptions) -> int:
    """Serve requests until stdin ends or a signal says so.

    Returns:
        The exit status: 0, or 1 if a hook failed. If handlers are left that cannot be
        stopped, the process ends here.
    """
    loop = _new_event_loop()
    asyncio.set_event_loop(loop)
    process = _Process(settings, options)
    try:
        status = _run_to_the_end(loop, process.serve())
        _run_to_the_end(loop, _cancel_the_rest(loop))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    if process.left_handlers_behind:
        os._exit(status)  # Threads that still run would be waited for.
    loop.close()
    return status


class _Process:
    def __init__(self, settings: PythonExecutorSettings, options: ProcessOptions) -> None:
        self.left_handlers_behind = False
        self._settings = settings
        self._options = options
        self._hurry = asyncio.Event()

    async def serve(self) -> int:
        settings, options = self._settings, self._options
        rrq_settings = settings.rrq_settings or RRQSettings()
        if not await _run_hook("on_startup", settings.on_startup):
            return 1
        _activate_telemetry(rrq_settings)
        runtime = Runtime(
            options.requests_fd,
            options.outcomes_fd,
            max_in_flight=options.max_in_flight,
            max_message_bytes=options.max_message_bytes,
        )
        client = RRQClient(rrq_settings)
        threads = ThreadPoolExecutor(options.max_in_flight, thread_name_prefix="rrq-handler")
        self._listen_to_signals(runtime)
        self._greet(runtime)
        # Everything up to here stays: the collector need not look at it again and again.
        gc.freeze()
        runtime.start(
            Invoker(
                settings.job_registry,
                rrq_settings,
                client,
                threads,
                send_progress=runtime.send if "progress" in self._offers() else None,
                worker_id=os.environ.get("RRQ_WORKER_ID"),
            )
        )
        await runtime.told_to_stop.wait()
        await self._finish(runtime)
        threads.shutdown(wait=False)
        is_shut_down = await _run_hook("on_shutdown", settings.on_shutdown)
        await client.close()
        if telemetry := get_telemetry():
            await flushed(telemetry)
        return 0 if is_shut_down else 1

    def _offers(self) -> list[str]:
        """The optional features of the protocol that both sides know."""
        if "hello" not in self._options.features:
            return []
        return [name for name in ("cancel", "progress") if name in self._options.features]

    def _greet(self, runtime: Runtime) -> None:
        if "hello" not in self._options.features:
            return
        runtime.send(
            Hello(
                features=self._offers(),
                max_in_flight=self._options.max_in_flight,
                functions=self._settings.job_registry.get_registered_functions(),
                runtime=f"python {platform.python_version()}",
            )
        )

    def _listen_to_signals(self, runtime: Runtime) -> None:
        def end() -> None:
            if runtime.told_to_stop.is_set():
                self._hurry.set()
            runtime.stop()

        def ignore() -> None:
            pass

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, end)
        # Not SIG_IGN, which subprocesses would inherit.
        loop.add_signal_handler(signal.SIGINT, ignore if self._options.has_orchestrator else end)

    async def _finish(self, runtime: Runtime) -> None:
        """Let what runs end within the grace, or until a second signal comes."""
        waits = [
            asyncio.ensure_future(runtime.finish()),
            asyncio.ensure_future(self._hurry.wait()),
        ]
        await asyncio.wait(
            waits, timeout=self._options.grace_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
        self.left_handlers_behind = await runtime.abandon(CLEAN_UP_SECONDS)
        await runtime.flush(CLEAN_UP_SECONDS)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        uvloop = import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _run_to_the_end(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. `sys.exit()` in a task that a handler started ends no process."""
    task = loop.create_task(work)
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if not task.done():
                log_failure("A task raised what ends a program; ignored", error, _OWN_FILES)
    return task.result()


async def _cancel_the_rest(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that handlers and hooks left behind."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=CLEAN_UP_SECONDS)
    await loop.shutdown_asyncgens()


async def _run_hook(name: str, hook: LifecycleHook | None) -> bool:
    """Whether the hook succeeded; if not, stderr says why."""
    if hook is None:
        return True
    try:
        answer = hook()
        if inspect.isawaitable(answer):
            await answer
    except (Exception, SystemExit) as error:
        log_failure(f"rrq-executor: {name} failed: {headline(error)}", error, _OWN_FILES)
        return False
    return True


def _activate_telemetry(settings: RRQSettings) -> None:
    try:
        from rrq.plugins import load_plugins
        from rrq.plugins.disabled import disabled_plugin_names

        disabled = disabled_plugin_names() | set(settings.plugins.disabled)
        load_plugins(disabled=disabled).telemetry("executor", settings)
    except Exception as error:
        log_line(f"rrq-executor: no telemetry, handlers run without: {error!r}")
