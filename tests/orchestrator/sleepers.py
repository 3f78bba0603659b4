"""Workers whose executors are in this process and do nothing but wait."""

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
from rrq.protocol import ExecutionOutcome, ExecutionRequest
from rrq.settings import ExecutorConfig, RRQSettings
from rrq.transport import Transport, TransportContext, TransportStatus


class SleeperConfig(BaseModel):
    slots: int = 1
    seconds: float = 0.0


class Sleeper(Transport):
    """Runs each request by waiting, in this process."""

    config_model = SleeperConfig

    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, context)
        assert isinstance(config, SleeperConfig)
        self.config = config
        self.most_at_once = 0
        self._running = 0
        self._stopped = asyncio.Event()

    @property
    def capacity(self) -> int:
        return self.config.slots

    async def start(self) -> None:
        return None

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            async with asyncio.timeout(self.config.seconds):
                await self._stopped.wait()
            raise ExecutorLost("stopped", penalty=False)
        except TimeoutError:
            pass
        finally:
            self._running -= 1
        return ExecutionOutcome(job_id=request.job_id, status="success", result=Raw(b"1"))

    async def stop(self, grace_seconds: float) -> None:
        self._stopped.set()

    def describe(self) -> TransportStatus:
        return TransportStatus(processes=1, in_flight=self._running, capacity=self.capacity)


def a_worker(
    settings: RRQSettings,
    queues: tuple[str, ...] = (),
    exit_when_stuck_seconds: float | None = None,
    transport: type[Sleeper] = Sleeper,
    **executors: SleeperConfig,
) -> Worker:
    """A worker whose executors are sleepers of these kinds; the first is the default."""
    plugins = load_plugins(only_builtin=True)
    plugins.transports()
    plugins._transports = {"sleeper": transport}
    configured = settings.model_copy(
        update={
            "executors": {
                name: ExecutorConfig(type="sleeper", **config.model_dump())
                for name, config in executors.items()
            },
            "default_executor_name": next(iter(executors)),
            "worker_shutdown_grace_period_seconds": 0,
        }
    )
    return Worker(
        configured, plugins, queues=queues, exit_when_stuck_seconds=exit_when_stuck_seconds
    )


@asynccontextmanager
async def working(
    settings: RRQSettings,
    queues: tuple[str, ...] = (),
    transport: type[Sleeper] = Sleeper,
    **executors: SleeperConfig,
) -> AsyncIterator[tuple[Worker, RRQClient]]:
    """Such a worker while it runs, and a client."""
    worker = a_worker(settings, queues, transport=transport, **executors)
    running = asyncio.create_task(worker.run())
    async with RRQClient(settings) as client:
        yield worker, client
    worker.stop_now()
    await running
