"""`Link`: one address, and the connection that is kept to it as long as the worker lives."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from rrq.transport import TransportContext
from rrq_transport_socket.address import Address
from rrq_transport_socket.config import SocketConfig
from rrq_transport_socket.connection import Connection
from rrq_transport_socket.greeting import NoExecutor, connect

_FIRST_PAUSE_SECONDS = 0.05


class Link:
    """Connects, and connects again whenever the connection has ended.

    Args:
        changed: told whenever there is more or less room.

    Attributes:
        connection: the one that is up.
        was_tried: whether the first attempt to connect is over.
        restarts: how often a connection ended.
        last_error: why the last one ended, or why there is none.
    """

    def __init__(
        self,
        address: Address,
        config: SocketConfig,
        context: TransportContext,
        changed: Callable[[], None],
    ) -> None:
        self.address = address
        self.connection: Connection | None = None
        self.was_tried = False
        self.restarts = 0
        self.last_error: str | None = None
        self._config = config
        self._context = context
        self._changed = changed
        self._is_closing = False
        self._keeping: asyncio.Task[None] | None = None
        self._logger = logging.getLogger(f"rrq.executor.{context.executor_name}")

    def open(self) -> None:
        """Begin to connect."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End the connection, and wait until it has ended."""
        self._is_closing = True
        if self._keeping is None:
            return
        if self.connection:
            self.connection.dismiss("was left: the worker stops", innocent=lambda job_id: True)
        else:
            self._keeping.cancel()
        await asyncio.wait([self._keeping])

    async def _keep(self) -> None:
        failures = 0
        while not self._is_closing:
            connection = await self._connected(failures)
            await self._serve(connection)
            # One that ends before it was of any use is not to be had again at once.
            failures = 0 if connection.has_answered else failures + 1

    async def _connected(self, failures: int) -> Connection:
        while True:
            await asyncio.sleep(self._pause_seconds(failures))
            try:
                greeted = await connect(self.address, self._config.max_message_bytes)
            except NoExecutor as error:
                self._tell_once(str(error))
                failures += 1
                self.was_tried = True
                self._changed()
                continue
            self.was_tried = True
            return Connection(
                str(self.address),
                greeted,
                self._config,
                changed=self._changed,
                progress=self._context.progress,
            )

    async def _serve(self, connection: Connection) -> None:
        self.connection = connection
        self._logger.info("%s is connected", self.address)
        self._changed()
        try:
            await connection.serve()
        finally:
            self.connection = None
            if not self._is_closing:
                self.restarts += 1
                self._tell_once(connection.end or "")
            self._changed()

    def _pause_seconds(self, failures: int) -> float:
        if not failures:
            return 0.0
        growing = _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 20)
        longest = min(self._config.reconnect_max_seconds, growing)
        # Workers that lost the same executor do not all come back in the same moment.
        return longest * random.uniform(0.5, 1.0)

    def _tell_once(self, problem: str) -> None:
        if problem != self.last_error:
            self._logger.warning("%s", problem)
        self.last_error = problem
