"""`PythonExecutor`: runs handlers in this process, for tests of handlers and small programs."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rrq.executor import Executor
from rrq_executor_python.invocation import Execution, Invoker

if TYPE_CHECKING:
    from rrq.client import RRQClient
    from rrq.protocol import ExecutionOutcome, ExecutionRequest
    from rrq.registry import JobRegistry
    from rrq.settings import RRQSettings


class PythonExecutor(Executor):
    """Calls handlers as the runtime does, with no process between.

    Args:
        job_registry: the handlers.
        settings: their `ctx["settings"]`; every default if left out.
        client: their `ctx["rrq_client"]`; one is made from `settings` if left out. It is the
            caller's to close.
        worker_id: for requests that name no worker.
    """

    def __init__(
        self,
        *,
        job_registry: JobRegistry,
        settings: RRQSettings | None = None,
        client: RRQClient | None = None,
        worker_id: str | None = None,
    ) -> None:
        from rrq.client import RRQClient
        from rrq.settings import RRQSettings

        settings = settings or RRQSettings()
        self._own_client = None if client else RRQClient(settings)
        self._threads = ThreadPoolExecutor(thread_name_prefix="rrq-handler")
        self._invoker = Invoker(
            job_registry,
            settings,
            client or self._own_client or RRQClient(settings),
            self._threads,
            worker_id=worker_id,
        )

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        """Run one request to its outcome; the handler's own exceptions become outcomes.

        Raises:
            asyncio.CancelledError: the caller was cancelled.
        """
        return await Execution(self._invoker, request, asyncio.get_running_loop()).run()

    async def close(self) -> None:
        """Close the client that it made, and take no more functions into threads."""
        self._threads.shutdown(wait=False)
        if self._own_client is not None:
            await self._own_client.close()
