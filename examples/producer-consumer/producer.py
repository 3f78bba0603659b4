"""Enqueue jobs, and wait for what becomes of them."""

from __future__ import annotations

import asyncio

from rrq import RRQClient
from rrq.config import load_toml_settings


async def main() -> None:
    async with RRQClient(load_toml_settings()) as client:
        jobs = [
            await client.enqueue("send_email", "ann@example.org", subject="Welcome"),
            await client.enqueue("send_email", "bob@example.org", subject="Welcome"),
            await client.enqueue("count_words", "to be or not to be", _queue_name="reports"),
        ]
        for job in jobs:
            if job is not None:
                print(await client.wait(job, timeout=30))


if __name__ == "__main__":
    asyncio.run(main())
