"""`enqueue_many`: jobs by the thousand, in chunks that Redis takes whole or not at all.

While Redis carries one chunk out the next is prepared, so that neither waits for the other. Chunks
keep their order, and none is sent before the one ahead of it was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from rrq.job_request import fresh_id, new_job, queued_job, traced
from rrq.store.jobs import enqueued

if TYPE_CHECKING:
    from rrq.job import Job
    from rrq.job_request import JobRequest
    from rrq.store.jobs import NewJob
    from rrq.store.store import JobStore
    from rrq.telemetry import FanOut

    Chunk = list[tuple[JobRequest, NewJob]]
    Sent = tuple[Chunk, asyncio.Task[Any]]

CHUNK_JOBS = 500
CHUNK_BYTES = 4 * 1024 * 1024
"""One step takes as many jobs as stay below both bounds."""

PREPARED_AT_ONCE = 50
"""How many jobs are prepared before others may run: about a millisecond."""


async def enqueue_many(
    store: JobStore, requests: Iterable[JobRequest], telemetry: FanOut | None
) -> list[Job | None]:
    """For each request the job, or None if it was skipped.

    Raises:
        As `RRQClient.enqueue`; chunks before the refused one stay queued.
    """
    if telemetry is not None:
        return await _enqueue_traced(store, requests, telemetry)
    jobs: list[Job | None] = []
    sent: Sent | None = None
    try:
        async for chunk in _prepared(store, requests):
            new = [job for _, job in chunk]
            call = store.jobs.prepared(new)
            done = sent and (sent[0], await sent[1])
            sent = chunk, asyncio.create_task(store.jobs.put(new, call))
            # It leaves before the answer to the one ahead of it is read.
            await asyncio.sleep(0)
            jobs += _queued(*done) if done else ()
        jobs += _queued(sent[0], await sent[1]) if sent else ()
    except asyncio.CancelledError:
        if sent:
            sent[1].cancel()
        raise
    except Exception:
        if sent:
            await sent[1]  # what an earlier chunk met comes first
        raise
    return jobs


async def _enqueue_traced(
    store: JobStore, requests: Iterable[JobRequest], telemetry: FanOut
) -> list[Job | None]:
    """The same chunk by chunk: the spans of one must end before those of the next begin."""
    jobs: list[Job | None] = []
    queue = store.settings.default_queue_name
    rest = iter(requests)
    while some := list(islice(rest, CHUNK_JOBS)):
        ids = [_id_of(request) for request in some]
        with traced(telemetry, some, ids, store.keys, queue) as carrying:
            pairs = [
                (request, new_job(request, job_id, store.settings, store.keys))
                for request, job_id in zip(carrying, ids, strict=True)
            ]
            for chunk in _below_bytes(pairs):
                new = [job for _, job in chunk]
                jobs += _queued(chunk, await store.jobs.put(new, store.jobs.prepared(new)))
    return jobs


async def _prepared(store: JobStore, requests: Iterable[JobRequest]) -> AsyncIterator[Chunk]:
    rest = iter(requests)
    pairs: Chunk = []
    while some := list(islice(rest, PREPARED_AT_ONCE)):
        pairs += [
            (request, new_job(request, _id_of(request), store.settings, store.keys))
            for request in some
        ]
        if len(pairs) >= CHUNK_JOBS:
            for chunk in _below_bytes(pairs):
                yield chunk
            pairs = []
        await asyncio.sleep(0)
    for chunk in _below_bytes(pairs):
        yield chunk


def _id_of(request: JobRequest) -> str:
    return request.job_id or fresh_id()


def _queued(chunk: Chunk, answer: Any) -> list[Job | None]:
    return [
        None if one.is_duplicate else queued_job(request, new, one)
        for (request, new), one in zip(chunk, enqueued(answer), strict=True)
    ]


def _below_bytes(pairs: Chunk) -> Iterator[Chunk]:
    """The jobs in order, in chunks whose arguments stay below `CHUNK_BYTES` each."""
    chunk: Chunk = []
    size = 0
    for request, new in pairs:
        args, kwargs = new.fields["job_args"], new.fields["job_kwargs"]
        assert isinstance(args, bytes)
        assert isinstance(kwargs, bytes)
        own_size = len(args) + len(kwargs)
        if chunk and size + own_size > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append((request, new))
        size += own_size
    if chunk:
        yield chunk
