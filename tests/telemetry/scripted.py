"""A worker whose executor, in this process, ends each job as the function's name says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Raw
from pydantic import BaseModel

from rrq.client import RRQClient
from rrq.exc import ExecutorLost
from rrq.orchestrator.worker import Worker
from rrq.plugins import load_plugins
from rrq.protocol import HANDLER_NOT_FOUND, ExecutionOutcome, ExecutionRequest
from rrq.settings import ExecutorConfig, RRQSettings
from rrq.transport import Transport, TransportContext, TransportStatus


class ScriptedConfig(BaseModel):
    pass


class Scripted(Transport):
    """Keeps every request; ends it as its function is called."""

    config_model = ScriptedConfig
    capacity = 10

    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, context)
        self.requests: list[ExecutionRequest] = []
        self._stopped = asyncio.Event()

    async def start(self) -> None:
        return None

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        self.requests.append(request)
        job_id, is_first = request.job_id, request.context.attempt == 1
        match request.function_name:
            case "wait":
                await self._stopped.wait()
                raise ExecutorLost("stopped", penalty=False)
            case "retry" if is_first:
                return ExecutionOutcome(
                    job_id=job_id, status="retry", error_message="again", retry_after_seconds=0.01
                )
            case "fail":
                return ExecutionOutcome(
                    job_id=job_id, status="error", error_message="boom", error_type="ValueError"
                )
            case "nobody":
                return ExecutionOutcome(job_id=job_id, status="error", error_type=HANDLER_NOT_FOUND)
            case "vanish":
                raise ExecutorLost("its process died")
        return ExecutionOutcome(job_id=job_id, status="success", result=Raw(b"1"))

    async def stop(self, grace_seconds: float) -> None:
        self._stopped.set()

    def describe(self) -> TransportStatus:
        return TransportStatus(processes=1, in_flight=0, capacity=self.capacity)


@asynccontextmanager
async def scripted(
    settings: RRQSettings,
) -> AsyncIterator[tuple[Worker, RRQClient, list[ExecutionRequest]]]:
    """Such a worker while it runs, a client, and the requests that the executor got."""
    plugins = load_plugins(only_builtin=True)
    plugins.transports()
    plugins._transports = {"scripted": Scripted}
    configured = settings.model_copy(
        update={
            "executors": {"python": ExecutorConfig(type="scripted")},
            "worker_shutdown_grace_period_seconds": 0,
            "base_retry_delay_seconds": 0.01,
            "max_lost": 1,
        }
    )
    worker = Worker(configured, plugins)
    transport = worker.lanes["python"].transport
    assert isinstance(transport, Scripted)
    running = asyncio.create_task(worker.run())
    async with RRQClient(settings) as client:
        yield worker, client, transport.requests
    worker.stop_now()
    await running
