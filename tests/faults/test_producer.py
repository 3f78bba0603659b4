"""A producer that dies or is cut off leaves whole jobs or none."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

from redis.exceptions import RedisError

from rrq.bulk import CHUNK_JOBS
from rrq.client import RRQClient
from tests.faults.invariants import all_is_accounted_for, nothing_is_left
from tests.faults.proxy import Proxy
from tests.faults.rig import REPOSITORY, Rig
from tests.support.waiting import eventually

CALLS = 200
CUTS = 25

PRODUCER = """
import asyncio, sys
from rrq.client import RRQClient
from rrq.job_request import JobRequest
from rrq.settings import RRQSettings

async def produce():
    async with RRQClient(RRQSettings(redis_dsn=sys.argv[1])) as client:
        await client.enqueue_many(
            JobRequest("quick", ["x" * 1000, number]) for number in range(200_000)
        )

asyncio.run(produce())
"""


async def test_a_producer_killed_in_the_middle_of_a_bulk_leaves_whole_chunks_of_whole_jobs(
    rig: Rig,
) -> None:
    command = [sys.executable, "-c", PRODUCER, rig.server.dsn]
    producer = subprocess.Popen(command, cwd=REPOSITORY)  # noqa: ASYNC220 - it returns at once
    try:

        async def has_begun() -> bool:
            return await rig.redis("ZCARD", "rrq:queue:default") >= 2 * CHUNK_JOBS

        await eventually(has_begun, 15, "the first chunks")
    finally:
        producer.kill()
        producer.wait()

    queued = [job_id.decode() for job_id in await rig.redis("ZRANGE", "rrq:queue:default", 0, -1)]
    assert len(queued) % CHUNK_JOBS == 0
    keys = [key async for key in rig.client.job_store.redis.scan_iter("rrq:job:*", count=1000)]
    assert {key.decode().removeprefix("rrq:job:") for key in keys} == set(queued)
    numbers = [(await rig.job(job_id)).job_args[1] for job_id in queued]
    assert numbers == list(range(len(queued)))

    await rig.worker()
    await rig.all_ended(queued, 30)
    assert await all_is_accounted_for(rig, queued) == {"COMPLETED": len(queued)}
    await nothing_is_left(rig)


async def test_an_enqueue_whose_connection_is_cut_puts_its_job_in_once(rig: Rig) -> None:
    async with Proxy(str(rig.server.directory / "redis.sock")) as proxy:
        settings = rig.settings.model_copy(update={"redis_dsn": proxy.dsn})
        async with RRQClient(settings) as client:
            attempted: list[int] = []
            returned: list[int] = []

            async def produce() -> None:
                for number in range(CALLS):
                    attempted.append(number)
                    with contextlib.suppress(RedisError, OSError):
                        # Half of them under ids of their own choice.
                        own_id = f"own-{number}" if number % 2 else None
                        await client.enqueue("quick", number, _job_id=own_id)
                        returned.append(number)

            # Held back a little, so that a cut finds a request on its way there or back.
            proxy.delay(0.002)
            producing = asyncio.create_task(produce())
            for cut in range(1, CUTS + 1):
                await eventually(
                    lambda cut=cut: attempted and attempted[-1] >= cut * CALLS // (CUTS + 1), 20
                )
                proxy.cut()
            await producing

    queued = [job_id.decode() for job_id in await rig.redis("ZRANGE", "rrq:queue:default", 0, -1)]
    numbers = [(await rig.job(job_id)).job_args[0] for job_id in queued]
    assert len(returned) > CALLS // 2
    assert len(numbers) == len(set(numbers)), "a job was enqueued twice"
    assert set(returned) <= set(numbers), "a job that enqueue returned for is lost"
    assert rig.journal().violations == []
