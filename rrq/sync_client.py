"""`SyncRRQClient`: the methods of `RRQClient` for code without an event loop (Django, scripts).

One event loop in a thread of its own serves each client; calls from several threads may overlap.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from rrq.client import RRQClient

if TYPE_CHECKING:
    from rrq.job import Job
    from rrq.job_request import JobRequest
    from rrq.settings import RRQSettings
    from rrq.store.jobs import CancelAnswer, OnConflict

T = TypeVar("T")


class SyncRRQClient:
    """A producer's connection to RRQ. Use it as a context manager, or call `close`.

    It may be made before a process forks: each process gets a thread and connections of its
    own when it first calls.
    """

    def __init__(self, settings: RRQSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._served: _Loop | None = None

    def enqueue(
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
        """See `RRQClient.enqueue`."""
        loop = self._loop()
        return loop.run(
            loop.client.enqueue(
                function_name,
                *args,
                _queue_name=_queue_name,
                _job_id=_job_id,
                _unique_key=_unique_key,
                _max_retries=_max_retries,
                _job_timeout_seconds=_job_timeout_seconds,
                _defer_until=_defer_until,
                _defer_by=_defer_by,
                _result_ttl_seconds=_result_ttl_seconds,
                _on_conflict=_on_conflict,
                **kwargs,
            )
        )

    def enqueue_many(self, requests: Iterable[JobRequest]) -> list[Job | None]:
        """See `RRQClient.enqueue_many`."""
        loop = self._loop()
        return loop.run(loop.client.enqueue_many(requests))

    def get_job(self, job_id: str) -> Job | None:
        """See `RRQClient.get_job`."""
        loop = self._loop()
        return loop.run(loop.client.get_job(job_id))

    def wait(self, job: Job | str, timeout: float | None = None) -> Any:
        """See `RRQClient.wait`."""
        loop = self._loop()
        return loop.run(loop.client.wait(job, timeout))

    def cancel(self, job: Job | str) -> CancelAnswer:
        """See `RRQClient.cancel`."""
        loop = self._loop()
        return loop.run(loop.client.cancel(job))

    def close(self) -> None:
        """Close the connections and end the thread."""
        with self._lock:
            served, self._served = self._served, None
        if served and served.pid == os.getpid():
            served.close()

    def __enter__(self) -> SyncRRQClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _loop(self) -> _Loop:
        served = self._served
        if served is not None and served.pid == os.getpid():
            return served
        if served is not None:
            return self._loop_after_fork(served)
        with self._lock:
            if self._served is None:
                self._served = _Loop(RRQClient(self.settings))
            return self._served

    def _loop_after_fork(self, parents: _Loop) -> _Loop:
        with _fork_lock:
            if self._served is parents:
                # Another thread of the parent may have held it at the fork.
                self._lock = threading.Lock()
                self._served = _Loop(RRQClient(self.settings))
        return self._loop()


_open_loops: set[_Loop] = set()
"""Every loop that was not closed, so that none is collected after a fork: that would take the
parent's sockets out of the selector that both processes share, and the parent would never hear
from Redis again."""

_fork_lock = threading.Lock()
"""Only taken in a process that was forked, and so free at every fork of one that was not."""


class _Loop:
    """An event loop in a thread, with the client that lives in it."""

    def __init__(self, client: RRQClient) -> None:
        self.pid = os.getpid()
        self.client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rrq-sync-client", daemon=True
        )
        self._thread.start()
        _open_loops.add(self)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C in the caller's thread: the call must not go on without it.
            future.cancel()
            raise

    def close(self) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        _open_loops.discard(self)

    async def _end(self) -> None:
        # A thread that still waits for its call must not wait for ever.
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self.client.close()
