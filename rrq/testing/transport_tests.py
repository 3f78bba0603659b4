"""`TransportTests`: what the parts of the transport contract have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

import pytest

from rrq.testing.transport_subject import SOON_SECONDS, TransportSubject
from rrq.transport import Transport, TransportContext

Start = Literal["normal", "failing", "slow"]

START_FAILURE = "no database is there"
"""What an executor whose `start` is `failing` prints before it gives up."""


class TransportTests:
    """What is said of a transport that is to be tested.

    Attributes:
        stops_single_requests: whether a request can be stopped without ending its process,
            and so without harm to others in it.
        can_print_garbage: whether a handler can print where outcomes are expected.
        reports_progress: whether the handler `report` can be offered.
        ends_executors: whether the transport started the processes, and so must end them. If
            not, something else must start an executor again that has ended, and a malformed
            answer costs it its connection instead of its process.
        soon_seconds: the most that anything may take which should happen at once.
        start_failure: a regular expression for what the error of a `failing` start tells.
    """

    pytestmark: ClassVar[list[Any]] = [pytest.mark.asyncio]

    stops_single_requests: ClassVar[bool] = True
    can_print_garbage: ClassVar[bool] = True
    reports_progress: ClassVar[bool] = True
    ends_executors: ClassVar[bool] = True
    start_failure: ClassVar[str] = START_FAILURE
    soon_seconds: ClassVar[float] = SOON_SECONDS

    def make_transport(
        self,
        context: TransportContext,
        *,
        executors: int = 1,
        in_flight: int = 1,
        start: Start = "normal",
    ) -> Transport:
        """A transport that was not started yet.

        Args:
            context: to be given to it.
            executors: how many executors, so that the end of one leaves the others alone.
            in_flight: requests that each takes at once. A transport whose executors take one
                alone has `executors` times `in_flight` of them.
            start: `normal`; `failing` prints `START_FAILURE` to the log and ends, or is not
                there at all if the transport does not start it; `slow` takes two seconds until
                it can answer.

        If a cancelled request is given a grace to stop in, it must be one second at most.
        """
        raise NotImplementedError("say how your transport is made")

    def subject(self, **shape: Any) -> TransportSubject:
        """A transport of this shape (see `make_transport`) that was not started."""
        return TransportSubject(
            lambda context: self.make_transport(context, **shape), self.soon_seconds
        )

    @asynccontextmanager
    async def running(self, **shape: Any) -> AsyncIterator[TransportSubject]:
        """A started transport of this shape (see `make_transport`); it is stopped at the end.

        Raises:
            TimeoutError: the test takes more than four times `soon_seconds`.
        """
        subject = self.subject(**shape)
        async with asyncio.timeout(4 * self.soon_seconds):
            await subject.transport.start()
            try:
                yield subject
            finally:
                await subject.transport.stop(0)
