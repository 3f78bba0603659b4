"""The transport keeps the contract of every executor transport."""

from __future__ import annotations

from typing import Any

import pytest
from rrq_transport_socket.config import SocketConfig
from rrq_transport_socket.transport import SocketTransport

from rrq.testing.transport import Start, TransportContract
from rrq.transport import TransportContext


class TestSocketTransport(TransportContract):
    ends_executors = False
    start_failure = "does not answer: No such file or directory"

    @pytest.fixture(autouse=True)
    def _executors(self, services: Any) -> Any:
        self.services = services
        yield
        services.stop("slow")

    def make_transport(
        self,
        context: TransportContext,
        *,
        executors: int = 1,
        in_flight: int = 1,
        start: Start = "normal",
    ) -> SocketTransport:
        names = [f"executor-{number}" for number in range(executors)]
        if start == "failing":
            addresses = [self.services.nowhere()]
        elif start == "slow":
            addresses = [self.services.service("slow", delay_seconds=2.0).address]
        else:
            addresses = [self.services.service(name).address for name in names]
        config = SocketConfig(
            addresses=addresses,
            max_in_flight=in_flight,
            start_timeout_seconds=0.5 if start == "failing" else 30.0,
            reconnect_max_seconds=0.1,
            cancel_grace_seconds=0.2,
        )
        return SocketTransport(config, context)
