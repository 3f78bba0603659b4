"""All that a producer and a worker ever ask of Redis, in one go each, for the rules of access.

An administrator plays the other side. Every branch of the atomic steps that touches Redis in a
way of its own is met at least once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec import Raw

from rrq.client import RRQClient
from rrq.exc import DuplicateJob
from rrq.job import Job
from rrq.job_request import JobRequest
from rrq.store.claim import Claim
from rrq.store.jobs import NewJob
from rrq.store.store import JobStore
from rrq.store.verdict import Verdict, VerdictKind
from tests.support.waiting import eventually

PARK_MS = 60_000


async def produce(client: RRQClient, administrator: JobStore) -> None:
    """Enqueue in every way, wait, cancel, look up."""
    await _enqueue_in_every_way(client, administrator)
    await _wait(client, administrator)
    await _cancel_in_every_way(client, administrator)


async def work(store: JobStore, administrator: RRQClient) -> None:
    """Take every step that a worker takes."""
    await _beat(store)
    await _settle_in_every_way(store, administrator)
    await _keep_leases(store, administrator)
    await _tick(store)
    await store.workers.leave("rrq_worker_w", ["default"])


async def _enqueue_in_every_way(client: RRQClient, administrator: JobStore) -> None:
    await administrator.leases.claim("rrq_worker_parked", ["default"], 1, park_ms=PARK_MS)
    first = await client.enqueue("echo", 1)
    assert first is not None
    await client.enqueue_many([JobRequest("echo", (2,)), JobRequest("echo", (3,))])
    await claimed(administrator)

    await client.enqueue("echo", _unique_key="one")
    assert await client.enqueue("echo", _unique_key="one") is None
    with pytest.raises(DuplicateJob):
        await client.enqueue("echo", _unique_key="one", _on_conflict="raise")
    await client.enqueue("echo", _unique_key="one", _on_conflict="replace", _defer_by=1)
    await client.enqueue("echo", _unique_key="one", _on_conflict="defer")

    for _ in range(2):
        await client.enqueue("echo", _job_id="mine", _unique_key="two")
    await client.enqueue("echo", _job_id="mine")
    [*_, claim] = await claimed(administrator)
    await settle(administrator, claim, "fail", "no luck")
    await client.enqueue("echo", _job_id=claim.job_id)
    await claimed(administrator)
    found = await client.get_job(first.id)
    assert isinstance(found, Job)


async def _wait(client: RRQClient, administrator: JobStore) -> None:
    job = await client.enqueue("echo", "waited for")
    assert job is not None
    waiting = asyncio.create_task(client.wait(job, timeout=10))
    key = administrator.keys.waiters(job.id)
    await eventually(lambda: _done_or_there(waiting, administrator, key))
    if not waiting.done():
        [claim] = await claimed(administrator)
        await settle(administrator, claim, "complete", "42")
    assert await waiting == 42


async def _done_or_there(task: asyncio.Task[object], store: JobStore, key: str) -> bool:
    return task.done() or bool(await store.redis.exists(key))


async def _cancel_in_every_way(client: RRQClient, administrator: JobStore) -> None:
    holder = await client.enqueue("echo", _unique_key="three", _defer_by=60, _result_ttl_seconds=0)
    await client.enqueue("echo", _unique_key="three", _on_conflict="defer")
    assert holder is not None
    await administrator.jobs.await_end(holder.id, "client:another")
    assert await client.cancel(holder) == "cancelled"
    kept = await client.enqueue("echo", _defer_by=60)
    assert kept is not None
    assert await client.cancel(kept) == "cancelled"
    await claimed(administrator)
    running = await client.enqueue("echo")
    assert running is not None
    await claimed(administrator)
    assert await client.cancel(running) == "requested"


async def _beat(store: JobStore) -> None:
    from rrq.store.connection import require_redis

    await require_redis(store.redis, store.settings)
    await store.workers.heartbeat("rrq_worker_w", {"status": "running"}, 60)
    await store.leases.claim("rrq_worker_w", ["default"], 1, park_ms=PARK_MS)
    await store.queues.head_due_ms(["default"])


async def _settle_in_every_way(store: JobStore, administrator: RRQClient) -> None:
    for _ in range(3):
        await administrator.enqueue("echo")
    await store.leases.settle(
        [
            Verdict(
                job_id=claim.job_id,
                token=claim.token,
                kind="complete",
                queue=claim.queue,
                text="1",
                function_name=claim.function_name,
            )
            for claim in await claimed(store)
            if claim.is_plain
        ]
    )
    kinds: list[tuple[VerdictKind, str, bytes]] = [
        ("complete", "1", b""),
        ("retry", "no luck", b'{"attempt": 1}'),
        ("fail", "no luck", b'{"attempt": 1}'),
        ("cancel", "", b""),
        ("release", "", b""),
        ("lost", "its process died", b'{"attempt": 1}'),
    ]
    for kind, text, attempt in kinds:
        holder = await administrator.enqueue("echo", _unique_key=kind, _result_ttl_seconds=0)
        await administrator.enqueue("echo", _unique_key=kind, _on_conflict="defer")
        assert holder is not None
        await administrator.job_store.jobs.await_end(holder.id, "rrq_worker_w")
        claim = next(one for one in await claimed(store) if one.job_id == holder.id)
        await settle(store, claim, kind, text, attempt)
        await claimed(store)
    mailbox = store.workers.mailbox("rrq_worker_w")
    assert await mailbox.read(1)
    await mailbox.aclose()
    # A holder that a plain producer queued, one that waits for another, and an id of nothing.
    redis = administrator.job_store.redis
    for job_id in ("plain-1", "plain-2"):
        fields = {"id": job_id, "function_name": "echo", "job_unique_key": "plain"}
        await redis.hset(f"rrq:job:{job_id}", mapping=fields)
        await redis.zadd("rrq:queue:default", {job_id: 1})
    await redis.zadd("rrq:queue:default", {"nothing": 1})
    await claimed(store)


async def _keep_leases(store: JobStore, administrator: RRQClient) -> None:
    await administrator.enqueue("echo", _unique_key="kept")
    [claim] = [one for one in await claimed(store) if one.function_name == "echo"][-1:]
    await store.leases.renew([(claim.job_id, claim.token)])
    await store.leases.report_progress([(claim.job_id, claim.token, b"{}")])
    await store.leases.owned("rrq_worker_w")
    assert await store.leases.any_held()
    for _ in range(2):
        # Every lease runs out: by and by they are lost too often.
        leases = await administrator.job_store.redis.zrange("rrq:leases", 0, -1)
        for job_id in leases:
            await administrator.job_store.redis.zadd("rrq:leases", {job_id: 1})
        await store.leases.reap()
        await claimed(store)


async def _tick(store: JobStore) -> None:
    for seconds in (1, 2):
        await store.cron.tick(
            "nightly",
            "* * * * *",
            datetime.fromtimestamp(seconds, UTC),
            NewJob(job_id=f"cron-{seconds}", queue="default", fields={"function_name": "echo"}),
            grace_seconds=1,
            misfire="run",
        )


async def claimed(store: JobStore) -> list[Claim]:
    """All that is due, leased."""
    return (await store.leases.claim("rrq_worker_w", ["default"], 50, park_ms=1)).claims


async def settle(
    store: JobStore, claim: Claim, kind: VerdictKind, text: str, attempt: bytes = b""
) -> None:
    """One verdict."""
    await store.leases.settle(
        [
            Verdict(
                job_id=claim.job_id,
                token=claim.token,
                kind=kind,
                queue=claim.queue,
                text=Raw(text.encode()) if kind == "complete" else text,
                number=0,
                attempt=attempt,
            )
        ]
    )
