"""When nobody reads the outcomes, no more work is begun, and no more is read."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rrq import JobRegistry, RRQClient, RRQSettings
from rrq_executor_python.invocation import Invoker
from rrq_executor_python.runtime import Runtime

RESULT_BYTES = 200_000
REQUESTS = 200
ROUNDS = 2000


@pytest.fixture
def pipes() -> Iterator[tuple[int, int, int, int]]:
    requests_out, requests_in = os.pipe()
    outcomes_out, outcomes_in = os.pipe()
    fds = requests_out, requests_in, outcomes_out, outcomes_in
    yield fds
    for fd in fds:
        os.close(fd)


async def test_with_stdout_full_no_handler_is_begun_until_it_is_read(
    pipes: tuple[int, int, int, int],
) -> None:
    requests_out, requests_in, outcomes_out, outcomes_in = pipes
    begun = 0

    async def large(ctx: Any) -> str:
        nonlocal begun
        begun += 1
        return "x" * RESULT_BYTES

    registry = JobRegistry()
    registry.register("large", large)
    settings = RRQSettings()
    runtime = Runtime(requests_out, outcomes_in, max_in_flight=4, max_message_bytes=1_000_000)
    runtime.start(Invoker(registry, settings, RRQClient(settings), ThreadPoolExecutor()))
    os.write(requests_in, b"".join(_request(n) for n in range(REQUESTS)))
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
    assert 4 <= begun <= 10  # 1 MiB counts as full; what ran then still adds to it.

    answered = bytearray()
    lines = 0
    os.set_blocking(outcomes_out, False)
    while lines < REQUESTS:
        try:
            part = os.read(outcomes_out, 1_000_000)
        except BlockingIOError:
            await asyncio.sleep(0)
        else:
            answered += part
            lines += part.count(b"\n")
    ids = {json.loads(line)["job_id"] for line in answered.splitlines()}
    assert ids == {str(n) for n in range(REQUESTS)}
    runtime.stop()


def _request(number: int) -> bytes:
    context = {"job_id": "", "attempt": 1, "enqueue_time": "2026-01-01T12:00:00Z"}
    request = {
        "job_id": str(number),
        "function_name": "large",
        "context": {**context, "queue_name": "q"},
    }
    return json.dumps(request).encode() + b"\n"
