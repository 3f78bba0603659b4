"""Enqueues the vectors through RRQ's own client."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from typing import Any

from rrq import RRQClient, RRQSettings
from rrq.conformance import vectors
from rrq.exc import DuplicateJob
from rrq.job_request import JobRequest


async def main() -> None:
    settings = RRQSettings(redis_dsn=os.environ["RRQ_REDIS_DSN"])
    async with RRQClient(settings) as client:
        for case in vectors.cases("jobs"):
            args, kwargs = (json.loads(vectors.text(case[name])) for name in ("args", "kwargs"))
            request = JobRequest(case["function_name"], args, kwargs, **meant(case["options"]))
            try:
                await client.enqueue_many([request])
            except DuplicateJob as held:
                print(held)


def meant(options: dict[str, Any]) -> dict[str, Any]:
    """Options of the vectors as the client takes them."""
    options = dict(options)
    if "defer_until" in options:
        options["defer_until"] = datetime.fromisoformat(options["defer_until"])
    if "defer_by_seconds" in options:
        options["defer_by"] = options.pop("defer_by_seconds")
    return options


asyncio.run(main())
