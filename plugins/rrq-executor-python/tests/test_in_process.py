"""`PythonExecutor`: the same handlers without a process."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rrq import JobRegistry, RRQClient, RRQSettings
from rrq.exc import RetryJob
from rrq.protocol import ExecutionContext, ExecutionRequest, decode_json
from rrq_executor_python import PythonExecutor

README = Path(__file__).parent.parent / "README.md"


def request(function_name: str, *args: Any, deadline: str | None = None) -> ExecutionRequest:
    return ExecutionRequest(
        job_id="a",
        function_name=function_name,
        args=msgspec.Raw(msgspec.json.encode(args)),
        context=ExecutionContext(
            job_id="a",
            attempt=1,
            enqueue_time="2026-01-01T12:00:00Z",
            queue_name="default",
            deadline=deadline,
        ),
    )


async def test_a_handler_is_called_with_the_settings_and_client_that_were_given() -> None:
    settings = RRQSettings()
    client = RRQClient(settings)
    seen: dict[str, Any] = {}

    async def remember(ctx: Any, word: str) -> str:
        ctx.progress(1, 2)
        seen.update(ctx)
        return word

    registry = JobRegistry()
    registry.register("remember", remember)
    executor = PythonExecutor(
        job_registry=registry, settings=settings, client=client, worker_id="rrq_worker_t"
    )
    outcome = await executor.execute(request("remember", "hello"))
    assert (outcome.status, decode_json(outcome.result)) == ("success", "hello")
    assert seen["settings"] is settings
    assert seen["rrq_client"] is client
    assert seen["worker_id"] == "rrq_worker_t"
    await executor.close()
    await executor.close()


async def test_failures_are_outcomes_as_in_the_runtime() -> None:
    async def retry(ctx: Any) -> None:
        raise RetryJob("later", 3)

    registry = JobRegistry()
    registry.register("retry", retry)
    executor = PythonExecutor(job_registry=registry)
    outcome = await executor.execute(request("retry"))
    assert (outcome.status, outcome.retry_after_seconds) == ("retry", 3)
    assert (await executor.execute(request("nobody"))).error_type == "handler_not_found"
    await executor.close()


async def test_a_handler_registered_anew_is_the_one_that_is_called() -> None:
    registry = JobRegistry()
    executor = PythonExecutor(job_registry=registry)
    registry.register("twin", lambda ctx: "plain")
    assert decode_json((await executor.execute(request("twin"))).result) == "plain"

    async def twin(ctx: Any) -> str:
        return "async"

    registry.register("twin", twin, replace=True)
    assert decode_json((await executor.execute(request("twin"))).result) == "async"
    await executor.close()


async def test_cancelling_the_caller_cancels_the_handler_and_is_no_outcome() -> None:
    began = asyncio.Event()

    async def hang(ctx: Any) -> None:
        began.set()
        await asyncio.Event().wait()

    registry = JobRegistry()
    registry.register("hang", hang)
    executor = PythonExecutor(job_registry=registry)
    call = asyncio.create_task(executor.execute(request("hang")))
    await began.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await executor.close()


async def test_a_deadline_leaves_the_caller_uncancelled() -> None:
    async def hang(ctx: Any) -> None:
        await asyncio.Event().wait()

    registry = JobRegistry()
    registry.register("hang", hang)
    executor = PythonExecutor(job_registry=registry)
    from datetime import UTC, datetime, timedelta

    deadline = (datetime.now(UTC) + timedelta(seconds=0.1)).isoformat()
    outcome = await executor.execute(request("hang", deadline=deadline))
    assert outcome.status == "timeout"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await executor.close()


async def test_the_examples_of_the_readme_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)  # the README is ours
    await names["test_an_email_is_sent"]()
