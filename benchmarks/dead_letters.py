"""How fast is a long dead letter queue looked through and emptied, and how long a call holds Redis?

    python benchmarks/dead_letters.py            # half a minute and 200 MB of memory
    python benchmarks/dead_letters.py --letters 10000

Each figure is of the command as it is typed, its start included. The times of calls are those
that Redis keeps: on a busy machine the longest is the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

from rig import Rig, rig


async def main(letters: int) -> None:
    async with rig() as bench:
        await bury(bench, letters)
        await measured(bench, "first page", letters, "list")
        await measured(bench, "page of a filter", letters, "list", "--function", "odd")
        await measured(bench, "stats", letters, "stats")
        for action, *options in (("requeue",), ("delete", "--yes")):
            await bury(bench, letters)
            await measured(bench, f"{action} all", letters, action, "--all", *options)
            await bury(bench, letters)
            half = (action, "--function", "odd", *options)
            await measured(bench, f"{action} half", letters // 2, *half)


async def bury(bench: Rig, letters: int) -> None:
    """Leave nothing but so many dead letters of two functions."""
    await bench.empty()
    redis = bench.client.job_store.redis
    for start in range(0, letters, 2_000):
        async with redis.pipeline(transaction=False) as pipeline:
            for number in range(start, min(start + 2_000, letters)):
                job_id = f"4e292131-ebce-4307-9b58-{number:012}"
                fields = {
                    "id": job_id,
                    "function_name": "odd" if number % 2 else "even",
                    "job_args": "[1,2,3]",
                    "enqueue_time": "2026-01-01T12:00:00.000000Z",
                    "completion_time": "2026-01-01T12:00:01.000000Z",
                    "status": "FAILED",
                    "current_retries": "3",
                    "queue_name": "mail",
                    "last_error": f"ValueError: no such address {number}",
                }
                pipeline.hset(f"rrq:job:{job_id}", mapping=fields)
                pipeline.expire(f"rrq:job:{job_id}", 604_800)
                pipeline.lpush("rrq:dlq:default", job_id)
            await pipeline.execute()


async def measured(bench: Rig, name: str, jobs: int, *words: str) -> None:
    """Run one command and print what it took."""
    redis = bench.client.job_store.redis
    await redis.config_set("slowlog-log-slower-than", 1_000)
    await redis.config_set("slowlog-max-len", 10_000)
    await redis.slowlog_reset()
    await redis.config_resetstat()
    began = time.perf_counter()
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rrq", "dlq", *words),
        env={**os.environ, "RRQ_REDIS_DSN": bench.server.dsn},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    code = await command.wait()
    seconds = time.perf_counter() - began
    if code:
        raise RuntimeError(f"rrq dlq {' '.join(words)} exited with {code}")
    line = f"{name:<17} {seconds:6.2f} s"
    if words[0] in ("requeue", "delete"):
        steps = (await redis.info("commandstats"))["cmdstat_evalsha"]
        longest_ms = max((one["duration"] for one in await redis.slowlog_get(10_000)), default=0)
        line += (
            f"   {jobs / seconds:7,.0f} jobs/s   a call {steps['usec_per_call'] / 1000:.1f} ms, "
            f"the longest {longest_ms / 1000:.1f} ms"
        )
    print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--letters", type=int, default=100_000, help="how many dead letters")
    asyncio.run(main(parser.parse_args().letters))
