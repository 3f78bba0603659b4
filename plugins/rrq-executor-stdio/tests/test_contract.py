"""The stdio transport keeps the contract of a transport, whichever way its executors speak."""

from __future__ import annotations

import sys
from pathlib import Path

from rrq.protocol import ExecutionRequest
from rrq.testing.transport import Start, TransportContract
from rrq.transport import Ended, TransportContext
from rrq_executor_stdio import StdioConfig, StdioTransport

EXECUTORS = Path(__file__).parent / "executors"


class TestWithPlainExecutors(TransportContract):
    stops_single_requests = False

    def make_transport(
        self,
        context: TransportContext,
        *,
        executors: int = 1,
        in_flight: int = 1,
        start: Start = "normal",
    ) -> StdioTransport:
        config = StdioConfig(
            cmd=[sys.executable, str(EXECUTORS / "one_at_a_time.py"), start],
            pool_size=executors * in_flight,
        )
        return ExecutingTransport(config, context)


class TestWithExecutorsThatSayHello(TransportContract):
    def make_transport(
        self,
        context: TransportContext,
        *,
        executors: int = 1,
        in_flight: int = 1,
        start: Start = "normal",
    ) -> StdioTransport:
        config = StdioConfig(
            cmd=[sys.executable, str(EXECUTORS / "many_at_once.py"), start, str(in_flight)],
            pool_size=executors,
            cancel_grace_seconds=0.5,
        )
        return GreetedTransport(config, context)


class GreetedTransport(StdioTransport):
    expects_hello = True


class ExecutingTransport(StdioTransport):
    """Has a task wait for each outcome, as one for which no process has room at once."""

    def submit(self, request: ExecutionRequest, ended: Ended) -> None:
        return None
