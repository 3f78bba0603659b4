"""`PythonExecutorSettings`: the object that a Python executor process is started with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from rrq.registry import JobRegistry
from rrq.settings import RRQSettings

LifecycleHook = Callable[[], Awaitable[None] | None]


@dataclass(slots=True, kw_only=True)
class PythonExecutorSettings:
    """Which handlers an executor offers, and what runs around them.

    Attributes:
        rrq_settings: for handlers that enqueue or look jobs up (`ctx["settings"]`); None takes
            those of the worker that started the executor: its file and environment.
        job_registry: the handlers.
        on_startup: runs once in each process before the first job; a failure ends it.
        on_shutdown: runs once in each process after the last job.
    """

    rrq_settings: RRQSettings | None = None
    job_registry: JobRegistry = field(default_factory=JobRegistry)
    on_startup: LifecycleHook | None = None
    on_shutdown: LifecycleHook | None = None
