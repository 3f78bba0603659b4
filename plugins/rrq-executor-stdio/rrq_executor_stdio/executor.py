"""`StdioExecutor`: a pool of executor processes for a program that has no worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rrq.executor import Executor
from rrq.protocol import ExecutionOutcome, ExecutionRequest
from rrq.transport import TransportContext
from rrq_executor_stdio.config import StdioConfig
from rrq_executor_stdio.transport import StdioTransport


class StdioExecutor(Executor):
    """Runs requests in processes that speak JSON Lines.

    Args:
        cmd: the program and its arguments.
        pool_size: processes.
        name: what logs and errors call it.
        grace_seconds: how long `close` lets running requests finish.
        options: any other key of the executor's table in `rrq.toml`.
    """

    def __init__(
        self,
        cmd: Sequence[str],
        pool_size: int = 1,
        *,
        name: str = "stdio",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        response_timeout_seconds: float | None = None,
        grace_seconds: float = 10.0,
        **options: Any,
    ) -> None:
        config = StdioConfig(
            cmd=list(cmd),
            pool_size=pool_size,
            env=dict(env or {}),
            cwd=cwd,
            response_timeout_seconds=response_timeout_seconds,
            **options,
        )
        context = TransportContext(executor_name=name, worker_id="")
        self._transport = StdioTransport(config, context)
        self._grace_seconds = grace_seconds
        self._started: asyncio.Task[None] | None = None

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        """Run one request; the first call starts the processes.

        Raises:
            ExecutorStartError: they do not come up.
            ExecutorLost: the process went away before it answered.
        """
        if self._started is None:
            self._started = asyncio.create_task(self._transport.start())
        if not self._started.done():
            await asyncio.shield(self._started)
        self._started.result()
        return await self._transport.execute(request)

    async def close(self) -> None:
        await self._transport.stop(self._grace_seconds)
        if self._started is not None:
            await asyncio.wait((self._started,))
