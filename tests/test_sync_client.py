"""`SyncRRQClient`: the same methods without an event loop, from threads and after a fork."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest
from msgspec import Raw

from rrq.client import RRQClient
from rrq.exc import DuplicateJob, JobFailed, JobNotFound
from rrq.job_request import JobRequest
from rrq.settings import RRQSettings
from rrq.store.store import JobStore
from rrq.store.verdict import Verdict, VerdictKind
from rrq.sync_client import SyncRRQClient
from tests.support.waiting import eventually_blocking


@pytest.fixture
def client(settings: RRQSettings) -> Iterator[SyncRRQClient]:
    with SyncRRQClient(settings) as client:
        yield client


def _end_one(settings: RRQSettings, kind: VerdictKind, text: str | Raw) -> None:
    async def end() -> None:
        store = JobStore(settings)
        [claim] = (await store.leases.claim("w", ["default"], 1, park_ms=1000)).claims
        verdict = Verdict(
            job_id=claim.job_id, token=claim.token, kind=kind, queue="default", text=text
        )
        assert await store.leases.settle([verdict]) == [kind]
        await store.aclose()

    asyncio.run(end())


def _waiting(settings: RRQSettings) -> list[str]:
    async def ids() -> list[str]:
        store = JobStore(settings)
        waiting = await store.get_queued_job_ids("default")
        await store.aclose()
        return waiting

    return asyncio.run(ids())


@pytest.mark.parametrize("method", ["enqueue", "enqueue_many", "get_job", "wait", "cancel"])
def test_every_method_takes_what_the_async_one_takes(method: str) -> None:
    def taken(owner: type) -> list[tuple[str, Any, Any]]:
        parameters = inspect.signature(getattr(owner, method)).parameters.values()
        return [(one.name, one.kind, one.default) for one in parameters]

    assert taken(SyncRRQClient) == taken(RRQClient)


def test_a_job_is_enqueued_found_and_cancelled(client: SyncRRQClient) -> None:
    job = client.enqueue("greet", 1, name="ü", _job_id="a", _defer_by=60, _max_retries=2)
    assert job is not None
    assert client.get_job("a") == job
    assert (job.job_args, job.job_kwargs, job.max_retries) == ([1], {"name": "ü"}, 2)
    assert client.cancel(job) == "cancelled"
    assert client.get_job("nothing") is None


def test_many_jobs_are_enqueued_in_order(client: SyncRRQClient, settings: RRQSettings) -> None:
    jobs = client.enqueue_many(JobRequest("f", (number,)) for number in range(20))
    assert _waiting(settings) == [job.id for job in jobs if job]


def test_errors_reach_the_caller(client: SyncRRQClient) -> None:
    with pytest.raises(TypeError, match="Argument number 1"):
        client.enqueue("f", object())
    client.enqueue("f", _unique_key="k")
    with pytest.raises(DuplicateJob):
        client.enqueue("f", _unique_key="k", _on_conflict="raise")
    with pytest.raises(JobNotFound):
        client.wait("nothing")


def test_waiting_gives_the_result_or_raises(client: SyncRRQClient, settings: RRQSettings) -> None:
    client.enqueue("f", _job_id="a")
    with pytest.raises(TimeoutError):
        client.wait("a", timeout=0.05)
    _end_one(settings, "complete", Raw(b"[7]"))
    assert client.wait("a", timeout=5) == [7]
    client.enqueue("f", _job_id="b")
    _end_one(settings, "fail", "boom")
    with pytest.raises(JobFailed, match="boom"):
        client.wait("b", timeout=5)


def test_calls_from_many_threads_overlap(client: SyncRRQClient, settings: RRQSettings) -> None:
    client.enqueue("f", _job_id="slow")
    with ThreadPoolExecutor(9) as threads:
        slow = threads.submit(client.wait, "slow", 20)
        jobs = list(threads.map(lambda number: client.enqueue("f", number), range(200)))
        assert not slow.done()
        _end_one(settings, "complete", Raw(b"7"))
        assert slow.result() == 7
    ids = [job.id for job in jobs if job]
    assert len(set(ids)) == 200
    assert sorted(_waiting(settings)) == sorted(ids)


def test_threads_that_call_first_at_once_share_one_loop(settings: RRQSettings) -> None:
    barrier = threading.Barrier(8)
    with SyncRRQClient(settings) as client:

        def call(_: int) -> None:
            barrier.wait(10)
            client.enqueue("f")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(call, range(8)))
        assert len(_loop_threads()) == 1
    assert len(_waiting(settings)) == 8


def _loop_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "rrq-sync-client"]


def test_closing_ends_the_thread_and_the_connections(settings: RRQSettings) -> None:
    client = SyncRRQClient(settings)
    client.enqueue("f", _job_id="a")
    with pytest.raises(TimeoutError):
        client.wait("a", timeout=0.05)
    assert len(_loop_threads()) == 1
    client.close()
    assert _loop_threads() == []
    client.close()

    eventually_blocking(lambda: not _connections(settings), what="closed connections")


def _connections(settings: RRQSettings) -> set[str]:
    """The ids of all connections to the server but the one that asks."""

    async def ask() -> set[str]:
        store = JobStore(settings)
        own_id = await store.redis.client_id()
        ids = {one["id"] for one in await store.redis.client_list()}
        await store.aclose()
        return ids - {str(own_id)}

    return asyncio.run(ask())


def test_closing_ends_the_calls_of_other_threads(settings: RRQSettings) -> None:
    client = SyncRRQClient(settings)
    client.enqueue("f", _job_id="a")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.wait, "a")
        eventually_blocking(lambda: _has_a_waiter(settings, "a"), what="the wish")
        client.close()
        with pytest.raises(CancelledError):
            waiting.result(10)
    assert _loop_threads() == []


def _has_a_waiter(settings: RRQSettings, job_id: str) -> bool:
    async def ask() -> bool:
        store = JobStore(settings)
        found = bool(await store.redis.exists(store.keys.waiters(job_id)))
        await store.aclose()
        return found

    return asyncio.run(ask())


def test_a_closed_client_opens_again_when_it_is_used(settings: RRQSettings) -> None:
    client = SyncRRQClient(settings)
    client.enqueue("f")
    client.close()
    client.enqueue("f")
    client.close()
    assert len(_waiting(settings)) == 2


def test_a_client_that_was_never_used_costs_nothing(settings: RRQSettings) -> None:
    with SyncRRQClient(settings):
        assert _loop_threads() == []


def test_a_script_that_forgets_to_close_ends(settings: RRQSettings) -> None:
    script = (
        "import sys; from rrq.settings import RRQSettings; from rrq.client import SyncRRQClient\n"
        "client = SyncRRQClient(RRQSettings(redis_dsn=sys.argv[1]))\n"
        "print(client.enqueue('f').function_name)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, settings.redis_dsn],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "f\n", "")


# -- after a fork -------------------------------------------------------------------------------

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")


def _in_child(act: Callable[[], None]) -> None:
    """Run in a forked process; its failure is the test's."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def ended() -> int | None:
        pid, wait_status = os.waitpid(child, os.WNOHANG)
        return None if pid == 0 else os.waitstatus_to_exitcode(wait_status) + 1

    assert eventually_blocking(ended, 20, "the child's end") == 1


@needs_fork
def test_a_child_calls_on_connections_of_its_own_and_the_parents_go_on(
    client: SyncRRQClient, settings: RRQSettings
) -> None:
    client.enqueue("f", _job_id="parent 1")

    def child() -> None:
        for number in range(3):
            client.enqueue("f", _job_id=f"child {number}")
            gc.collect()
        client.close()
        client.enqueue("f", _job_id="child 3")

    connections = _connections(settings)
    _in_child(child)
    for number in range(2, 5):
        client.enqueue("f", _job_id=f"parent {number}")
    assert connections <= _connections(settings)
    assert sorted(_waiting(settings)) == [
        *(f"child {number}" for number in range(4)),
        *(f"parent {number}" for number in range(1, 5)),
    ]


@needs_fork
def test_a_child_may_run_an_event_loop_of_its_own_without_harm_to_the_parent(
    settings: RRQSettings,
) -> None:
    clients = [SyncRRQClient(settings)]
    clients[0].enqueue("f", _job_id="parent 1")

    async def collect() -> None:
        gc.collect()

    def child() -> None:
        clients.clear()
        asyncio.run(collect())

    connections = _connections(settings)
    _in_child(child)
    clients[0].enqueue("f", _job_id="parent 2")
    # One that hears nothing more is given up after some seconds, and replaced.
    assert connections <= _connections(settings)
    clients[0].close()
    assert sorted(_waiting(settings)) == ["parent 1", "parent 2"]


@needs_fork
def test_a_child_that_was_forked_while_a_thread_called_can_call(
    client: SyncRRQClient, settings: RRQSettings
) -> None:
    client.enqueue("f", _job_id="slow")
    waiting = threading.Thread(target=lambda: client.wait("slow", 20))
    waiting.start()
    _in_child(lambda: client.enqueue("f", _job_id="child") and None)
    _end_one(settings, "complete", Raw(b"1"))
    waiting.join(10)
    assert not waiting.is_alive()
    assert _waiting(settings) == ["child"]
