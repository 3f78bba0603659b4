"""Requests that a transport takes without a task, and transports that do it wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest
from msgspec import Raw

from rrq.client import RRQClient
from rrq.exc import JobFailed
from rrq.job import JobStatus
from rrq.protocol import ExecutionOutcome, ExecutionRequest
from rrq.settings import RRQSettings
from rrq.transport import Ended
from tests.orchestrator.sleepers import Sleeper, SleeperConfig, working


class Submitter(Sleeper):
    """Takes each request at once, and answers when the test says so."""

    taken: ClassVar[dict[str, Ended]] = {}
    abandoned: ClassVar[list[str]] = []

    def submit(self, request: ExecutionRequest, ended: Ended) -> Callable[[], None] | None:
        self.taken[request.job_id] = ended
        return lambda: self.abandoned.append(request.job_id)

    async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
        raise AssertionError("it took the request")


@pytest.fixture(autouse=True)
def _afresh() -> None:
    Submitter.taken.clear()
    Submitter.abandoned.clear()


async def taken(job_id: str) -> Ended:
    async with asyncio.timeout(5):
        while job_id not in Submitter.taken:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    return Submitter.taken[job_id]


def success(job_id: str, result: bytes) -> ExecutionOutcome:
    return ExecutionOutcome(job_id=job_id, status="success", result=Raw(result))


async def enqueued(client: RRQClient) -> str:
    job = await client.enqueue("anything", _max_retries=1)
    assert job
    return job.id


async def test_the_first_word_on_a_request_counts(settings: RRQSettings) -> None:
    async with working(settings, transport=Submitter, only=SleeperConfig()) as (_, client):
        job_id = await enqueued(client)
        ended = await taken(job_id)
        for result in (b"1", b"2"):
            ended(success(job_id, result))
        assert await client.wait(job_id, timeout=5) == 1
        # Its place was given back once.
        second = await enqueued(client)
        (await taken(second))(success(second, b"3"))
        assert await client.wait(second, timeout=5) == 3


async def test_a_request_that_is_abandoned_has_ended_whatever_is_told_of_it(
    settings: RRQSettings,
) -> None:
    async with working(settings, transport=Submitter, only=SleeperConfig()) as (_, client):
        job_id = await enqueued(client)
        ended = await taken(job_id)
        assert await client.cancel(job_id) == "requested"
        with pytest.raises(JobFailed) as failed:
            await client.wait(job_id, timeout=5)
        assert failed.value.status is JobStatus.CANCELLED
        assert Submitter.abandoned == [job_id]
        ended(success(job_id, b"1"))
        second = await enqueued(client)
        (await taken(second))(success(second, b"3"))
        assert await client.wait(second, timeout=5) == 3


async def test_a_transport_that_cannot_submit_costs_the_job_a_loss(
    settings: RRQSettings, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Submitter):
        def submit(self, request: ExecutionRequest, ended: Ended) -> Callable[[], None] | None:
            raise RuntimeError("out of order")

    async with working(settings, transport=Broken, only=SleeperConfig()) as (_, client):
        job_id = await enqueued(client)
        with pytest.raises(JobFailed, match="out of order"):
            await client.wait(job_id, timeout=15)
    assert "The transport of executor only failed" in caplog.text


async def test_a_job_that_may_run_for_longer_than_time_can_be_told_runs(
    settings: RRQSettings,
) -> None:
    async with working(settings, transport=Submitter, only=SleeperConfig()) as (_, client):
        job = await client.enqueue("anything", _job_timeout_seconds=2**52)
        assert job
        (await taken(job.id))(success(job.id, b"1"))
        assert await client.wait(job, timeout=5) == 1


async def test_a_transport_that_cannot_abandon_does_not_keep_the_job(
    settings: RRQSettings, caplog: pytest.LogCaptureFixture
) -> None:
    class Clinging(Submitter):
        def submit(self, request: ExecutionRequest, ended: Ended) -> Callable[[], None] | None:
            super().submit(request, ended)
            return lambda: {}["nothing"]

    async with working(settings, transport=Clinging, only=SleeperConfig()) as (_, client):
        job_id = await enqueued(client)
        await taken(job_id)
        assert await client.cancel(job_id) == "requested"
        with pytest.raises(JobFailed) as failed:
            await client.wait(job_id, timeout=5)
    assert failed.value.status is JobStatus.CANCELLED
    assert "The transport of executor only failed" in caplog.text


async def test_a_transport_that_carries_requests_in_its_own_way_is_not_passed_by() -> None:
    class Wrapping(Submitter):
        async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
            return await super().execute(request)

    class Both(Submitter):
        async def execute(self, request: ExecutionRequest) -> ExecutionOutcome:
            return await super().execute(request)

        submit = Submitter.submit

    assert Wrapping.submit is Sleeper.submit
    assert Both.submit is Submitter.submit
