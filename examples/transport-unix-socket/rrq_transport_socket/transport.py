"""`SocketTransport`: the executor transport of `type = "socket"`.

It carries each request as a JSON line over a connection to an executor that it did not start.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from pydantic import BaseModel

from rrq.exc import ExecutorLost, ExecutorStartError
from rrq.protocol import ExecutionOutcome, ExecutionRequest, encode_line
from rrq.transport import Transport, TransportContext, TransportStatus
from rrq_transport_socket.address import Address
from rrq_transport_socket.config import SocketConfig
from rrq_transport_socket.connection import Connection
from rrq_transport_socket.link import Link


class SocketTransport(Transport):
    """One connection to each address, each with as many requests at once as its hello says."""

    config_model: ClassVar[type[BaseModel]] = SocketConfig

    def __init__(self, config: BaseModel, context: TransportContext) -> None:
        super().__init__(config, context)
        assert isinstance(config, SocketConfig)
        self.config = config
        self._links = [
            Link(Address.parse(address), config, context, self._changed)
            for address in config.addresses
        ]
        self._news = asyncio.Event()
        self._told_capacity = 0
        self._is_stopping = self._is_cut_short = False
        self._waiting_since: dict[str, float] = {}

    @property
    def capacity(self) -> int:
        if self._is_stopping:
            return 0
        return sum(connection.capacity for connection in self._connections())

    async def start(self) -> None:
        for link in self._links:
            link.open()
        try:
            async with asyncio.timeout(self.config.start_timeout_seconds):
                while not self._is_up():
                    await self._next_news()
        except TimeoutError:
            await self._close()
            raise self._start_error(
                "; ".join(filter(None, (link.last_error for link in self._links)))
            ) from None
        if self._is_stopping:
            raise self._start_error("it was stopped before it was up")

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        line = encode_line(request) + b"\n"
        if len(line) > self.config.max_message_bytes:
            return _too_long(request, len(line), self.config.max_message_bytes)
        connection = await self._with_room_for(request.job_id)
        return await connection.carry(request.job_id, line)

    def extra_seconds(self, job_id: str) -> float:
        since = self._waiting_since.get(job_id)
        if since is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        return max(0.0, since + self.config.start_timeout_seconds - now)

    async def stop(self, grace_seconds: float) -> None:
        self._is_stopping = True
        self._changed()
        grace = asyncio.get_running_loop().call_later(grace_seconds, self._cut_short)
        while not self._is_cut_short and self._is_wanted():
            await self._next_news()
        grace.cancel()
        await self._close()

    def describe(self) -> TransportStatus:
        up = self._connections()
        errors = [link.last_error for link in self._links if link.last_error]
        functions = {name for one in up for name in one.hello.functions or ()}
        return TransportStatus(
            processes=len(up),
            in_flight=sum(len(one.in_flight) for one in up),
            capacity=self.capacity,
            restarts=sum(link.restarts for link in self._links),
            last_error=errors[-1] if errors else None,
            functions=tuple(sorted(functions)) or None,
            runtime=next((one.hello.runtime for one in up if one.hello.runtime), None),
            details={
                str(link.address): "connected" if link.connection else str(link.last_error)
                for link in self._links
            },
        )

    # Room

    async def _with_room_for(self, job_id: str) -> Connection:
        # It waits only while connections are being replaced, or for a job that runs already: as
        # the rule says, no more is asked of a transport than its capacity.
        try:
            async with asyncio.timeout(self.config.start_timeout_seconds):
                while not self._is_stopping:
                    fit = [one for one in self._connections() if one.has_room_for(job_id)]
                    if fit:
                        return min(fit, key=lambda one: len(one.in_flight))
                    now = asyncio.get_running_loop().time()
                    self._waiting_since.setdefault(job_id, now)
                    await self._next_news()
        except TimeoutError:
            raise ExecutorLost("no executor is connected", penalty=False) from None
        finally:
            self._waiting_since.pop(job_id, None)
        raise ExecutorLost("the transport is stopped", penalty=False)

    def _connections(self) -> list[Connection]:
        return [link.connection for link in self._links if link.connection]

    def _is_up(self) -> bool:
        """Whether `start` need not wait any longer: with one executor of many it can work."""
        tried = all(link.was_tried for link in self._links)
        return self._is_stopping or (tried and bool(self._connections()))

    def _is_wanted(self) -> bool:
        return any(len(one.in_flight) > len(one.unwanted) for one in self._connections())

    # News

    def _changed(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
        # Every outcome makes room for those who wait here, but the worker knows of it.
        if self.capacity != self._told_capacity:
            self._told_capacity = self.capacity
            self.context.capacity_changed()

    async def _next_news(self) -> None:
        await self._news.wait()

    # The end

    def _cut_short(self) -> None:
        self._is_cut_short = True
        self._changed()

    async def _close(self) -> None:
        await asyncio.gather(*(link.close() for link in self._links))

    def _start_error(self, why: str) -> ExecutorStartError:
        return ExecutorStartError(f"executor {self.context.executor_name!r} cannot start: {why}")


def _too_long(request: ExecutionRequest, length: int, limit: int) -> ExecutionOutcome:
    return ExecutionOutcome(
        job_id=request.job_id,
        status="error",
        error_type="MessageTooLong",
        error_message=f"The request has {length} bytes, the most is {limit} (max_message_bytes)",
    )
