"""`RRQClient`: enqueue, look up, wait for and cancel jobs, from asyncio code.

`rrq.sync_client.SyncRRQClient` has the same methods for everybody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rrq.exc import JobFailed, JobNotFound
from rrq.job import Job, JobStatus
from rrq.job_request import JobRequest, fresh_id, new_job, queued_job, traced
from rrq.telemetry import producer_telemetry

if TYPE_CHECKING:
    from rrq.settings import RRQSettings
    from rrq.store.jobs import CancelAnswer, OnConflict
    from rrq.store.store import JobStore
    from rrq.waiting import EndWatch


class RRQClient:
    """A producer's connection to RRQ. Use it as an async context manager, or call `close`.

    Args:
        settings: where Redis is, and the defaults for jobs.
        job_store: one to share; the client then leaves it open.
    """

    def __init__(self, settings: RRQSettings, job_store: JobStore | None = None) -> None:
        self.settings = settings
        self._store = job_store
        self._owns_store = job_store is None
        self._end_watch: EndWatch | None = None

    @property
    def job_store(self) -> JobStore:
        """The store, made when it is first needed: importing redis takes a while."""
        if self._store is None:
            from rrq.store.store import JobStore

            self._store = JobStore(self.settings)
        return self._store

    async def enqueue(
        self,
        function_name: str,
        *args: Any,
        _queue_name: str | None = None,
        _job_id: str | None = None,
        _unique_key: str | None = None,
        _max_retries: int | None = None,
        _job_timeout_seconds: int | None = None,
        _defer_until: datetime | None = None,
        _defer_by: timedelta | float | None = None,
        _result_ttl_seconds: int | None = None,
        _on_conflict: OnConflict = "skip",
        **kwargs: Any,
    ) -> Job | None:
        """Put one job into its queue, in one round trip.

        Args:
            function_name: `handler`, or `executor#handler`.
            args, kwargs: the handler's arguments; must be JSON.
            _queue_name: bare or full; the default is `default_queue_name`.
            _job_id: an id of your own. A waiting job of this id gets the new definition and
                due time, a finished one a new run from a clean slate.
            _unique_key: while a job with this key waits or runs, no second one is made.
            _max_retries: attempts in all.
            _job_timeout_seconds: the longest an attempt may take.
            _defer_until: not before this time; a naive datetime means UTC.
            _defer_by: not before this long from now: a timedelta, or seconds.
            _result_ttl_seconds: how long the job is kept after its end; 0 keeps it for ever.
            _on_conflict: what happens when the unique key is held: "skip" returns None,
                "raise" raises, "defer" queues the job for when the key is free, "replace"
                gives the waiting holder the new arguments and due time (debounce).

        Returns:
            The job, or None if it was skipped.

        Raises:
            TypeError: an argument cannot be JSON.
            ValueError: an option makes no sense.
            DuplicateJob: the unique key is held and `_on_conflict` is "raise".
            JobAlreadyRunning: `_job_id` names a job that is running.
        """
        request = JobRequest(
            function_name,
            args,
            kwargs,
            queue_name=_queue_name,
            job_id=_job_id,
            unique_key=_unique_key,
            max_retries=_max_retries,
            job_timeout_seconds=_job_timeout_seconds,
            defer_until=_defer_until,
            defer_by=_defer_by,
            result_ttl_seconds=_result_ttl_seconds,
            on_conflict=_on_conflict,
        )
        return await self._enqueue(request)

    async def enqueue_many(self, requests: Iterable[JobRequest]) -> list[Job | None]:
        """Put many jobs into their queues, in chunks: all of a chunk or none of it.

        Returns:
            For each request the job, or None if it was skipped.

        Raises:
            As `enqueue`; chunks before the refused one stay queued.
        """
        from rrq.bulk import enqueue_many

        telemetry = producer_telemetry(self.settings)
        return await enqueue_many(self.job_store, requests, telemetry)

    async def get_job(self, job_id: str) -> Job | None:
        """The job as Redis has it now, or None.

        Raises:
            MalformedJob: its hash cannot be read.
        """
        return await self.job_store.jobs.get(job_id)

    async def wait(self, job: Job | str, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """The job's result, as soon as it has ended; Redis wakes the caller.

        Args:
            job: a job, or its id.
            timeout: seconds to wait at most; None waits for ever.

        Raises:
            JobFailed: it ended FAILED or CANCELLED.
            JobNotFound: there is no such job.
            TimeoutError: it has not ended in time; it goes on.
        """
        job_id = job if isinstance(job, str) else job.id
        if self._end_watch is None:
            from rrq.waiting import EndWatch

            self._end_watch = EndWatch(self.job_store)
        async with asyncio.timeout(timeout):
            status = await self._end_watch.wait(job_id)
            ended = await self.get_job(job_id)
        if ended is None:
            raise JobNotFound(f"Job {job_id} ended {status} and has expired")
        if ended.status is not JobStatus.COMPLETED:
            from rrq.store.error_types import error_type_of

            fields = await self.job_store.jobs.get_fields(job_id)
            error_type = error_type_of(fields.get("attempts"), ended.last_error)
            raise JobFailed(job_id, ended.status, ended.last_error, error_type)
        return ended.result

    async def cancel(self, job: Job | str) -> CancelAnswer:
        """Cancel a job: one that waits ends at once, one that runs is asked to stop.

        Returns:
            "cancelled", "requested" (it runs, its worker was told), "missing", or the status
            that it had ended in before.
        """
        return await self.job_store.jobs.cancel(job if isinstance(job, str) else job.id)

    async def close(self) -> None:
        """Close what the client opened; a store that was passed in stays open."""
        if self._end_watch:
            await self._end_watch.aclose()
            self._end_watch = None
        if self._owns_store and self._store is not None:
            await self._store.aclose()
            self._store = None

    async def __aenter__(self) -> RRQClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _enqueue(self, request: JobRequest) -> Job | None:
        job_id = request.job_id or fresh_id()
        telemetry = producer_telemetry(self.settings)
        keys = self.job_store.keys
        if telemetry is None:
            new = new_job(request, job_id, self.settings, keys)
            [answer] = await self.job_store.jobs.enqueue([new])
        else:
            queue = self.settings.default_queue_name
            with traced(telemetry, [request], [job_id], keys, queue) as [request]:
                new = new_job(request, job_id, self.settings, keys)
                [answer] = await self.job_store.jobs.enqueue([new])
        return None if answer.is_duplicate else queued_job(request, new, answer)


def __getattr__(name: str) -> Any:
    if name == "SyncRRQClient":
        from rrq.sync_client import SyncRRQClient

        return SyncRRQClient
    raise AttributeError(f"module 'rrq.client' has no attribute {name!r}")
