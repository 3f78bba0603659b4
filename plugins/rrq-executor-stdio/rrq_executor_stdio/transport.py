"""`StdioTransport`: the executor transport of `type = "stdio"`.

It carries each request to one process of a pool as a JSON line, and the outcome back.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from pydantic import BaseModel

from rrq.protocol import ExecutionOutcome, ExecutionRequest, encode_line
from rrq.transport import Ended, Transport, TransportContext, TransportStatus, complete
from rrq_executor_stdio.config import StdioConfig
from rrq_executor_stdio.flight import Flight, Listener
from rrq_executor_stdio.launch import Launch, environment
from rrq_executor_stdio.pool import ProcessPool
from rrq_executor_stdio.process import ExecutorProcess


class StdioTransport(Transport):
    """Runs a pool of processes that speak the executor protocol over stdin and stdout.

    A transport that fills in the command line itself subclasses this one: it has its own
    `config_model`, and gives `__init__` the `StdioConfig` that it amounts to.
    """

    config_model: ClassVar[type[BaseModel]] = StdioConfig

    expects_hello: ClassVar[bool] = False
    """Whether a process is not ready before its hello, so that `start` waits for it."""

    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, context)
        if not isinstance(config, StdioConfig):
            raise TypeError(f"StdioTransport needs a StdioConfig, not {type(config).__name__}")
        self.config = config
        self._pool = ProcessPool(
            Launch(
                executor_name=context.executor_name,
                command=config.cmd,
                environment=environment(context.executor_name, context.worker_id, config.env),
                cwd=config.cwd,
            ),
            config,
            Listener(
                room=lambda: None,
                capacity_changed=context.capacity_changed,
                progress=context.progress,
            ),
            expects_hello=self.expects_hello,
        )
        self._waiting_since: dict[str, float] = {}

    @property
    def capacity(self) -> int:
        return self._pool.capacity

    async def start(self) -> None:
        await self._pool.start()

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        pool = self._pool
        pool.refuse_if_stopping()
        line = encode_line(request)
        if len(line) > self.config.max_message_bytes:
            return self._too_long(request, len(line))

        job_id = request.job_id
        if request.context.alone:
            process = await pool.seclude(request)
            line = encode_line(request)  # it has another deadline now
        else:
            while (picked := pool.pick(job_id)) is None:
                pool.refuse_if_secluded()
                await self._wait_for_room(job_id)
            process = picked
        outcome: asyncio.Future[ExecutionOutcome] = asyncio.get_running_loop().create_future()
        flight = process.send(job_id, line, partial(complete, outcome))
        try:
            return await outcome
        except asyncio.CancelledError:
            self._abandon(process, job_id, flight)
            raise

    def submit(self, request: ExecutionRequest, ended: Ended) -> Callable[[], None] | None:
        pool = self._pool
        if request.context.alone or pool.roster.stopping.is_set():
            return None
        line = encode_line(request)
        if len(line) > self.config.max_message_bytes:
            return None
        job_id = request.job_id
        process = pool.pick(job_id)
        if process is None:
            return None
        return partial(self._abandon, process, job_id, process.send(job_id, line, ended))

    def extra_seconds(self, job_id: str) -> float:
        now = asyncio.get_running_loop().time()
        secluded = self._pool.secluded.get(job_id)
        if secluded is not None and (extra_seconds := secluded.extra_seconds(now)) > 0:
            return extra_seconds
        process = self._pool.find(job_id)
        if process is None:
            began_at = self._waiting_since.get(job_id)
        else:
            began_at = None if process.has_shown_life else process.spawned_at
        if began_at is None:
            return 0.0
        return max(0.0, began_at + self.config.start_timeout_seconds - now)

    async def stop(self, grace_seconds: float) -> None:
        await self._pool.stop(grace_seconds)

    def describe(self) -> TransportStatus:
        roster = self._pool.roster
        up = [process for process in roster.processes if process.slots]
        hello = next((process.hello for process in up if process.hello), roster.hello)
        functions = hello.functions if hello is not None else None
        return TransportStatus(
            processes=len(up),
            in_flight=sum(len(process.in_flight) for process in roster.processes),
            capacity=self.capacity,
            restarts=roster.restarts,
            last_error=roster.last_error,
            functions=None if functions is None else tuple(functions),
            runtime=hello.runtime if hello is not None else None,
            details={
                "cmd": shlex.join(self.config.cmd),
                "pids": ", ".join(str(pid) for pid in sorted(process.pid for process in up)),
            },
        )

    def _abandon(self, process: ExecutorProcess, job_id: str, flight: Flight) -> None:
        process.abandon(job_id, flight)
        self._pool.recount()

    async def _wait_for_room(self, job_id: str) -> None:
        # Only after a process was lost, or for a job that runs already: as the rule says, no
        # more is asked of a transport than its capacity.
        self._waiting_since.setdefault(job_id, asyncio.get_running_loop().time())
        try:
            await self._pool.wait_for_room()
        finally:
            self._waiting_since.pop(job_id, None)

    def _too_long(self, request: ExecutionRequest, length: int) -> ExecutionOutcome:
        limit = self.config.max_message_bytes
        return ExecutionOutcome(
            job_id=request.job_id,
            status="error",
            error_type="MessageTooLong",
            error_message=(
                f"The request for {request.function_name!r} has {length} bytes; executor"
                f" {self.context.executor_name!r} takes {limit} (max_message_bytes)"
            ),
        )
