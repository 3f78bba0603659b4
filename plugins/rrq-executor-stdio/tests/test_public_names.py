"""How the distribution is reached: as a plugin, and from a program without a worker."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest

import rrq.executor
import rrq_executor_stdio
from rrq.exc import ExecutorLost, ExecutorStartError
from rrq.protocol import ExecutionContext, ExecutionRequest
from rrq_executor_stdio import StdioExecutor, StdioTransport


def request(job_id: str) -> ExecutionRequest:
    context = ExecutionContext(
        job_id=job_id, attempt=1, enqueue_time="2026-01-01T12:00:00Z", queue_name="default"
    )
    return ExecutionRequest(job_id=job_id, function_name="echo", context=context)


def test_the_entry_point_offers_the_transport() -> None:
    (entry_point,) = entry_points(group="rrq.plugins", name="stdio")
    assert entry_point.load().rrq_transports() == {"stdio": StdioTransport}


async def test_an_executor_runs_requests_without_a_worker(plain: list[str]) -> None:
    executor = StdioExecutor(cmd=plain, pool_size=2)
    outcomes = await asyncio.gather(*(executor.execute(request(f"j{n}")) for n in range(5)))
    assert [outcome.job_id for outcome in outcomes] == [f"j{n}" for n in range(5)]
    await executor.close()
    await executor.close()
    with pytest.raises(ExecutorLost):
        await executor.execute(request("late"))


async def test_an_executor_that_cannot_start_says_so_at_its_first_request() -> None:
    executor = StdioExecutor(cmd=["no-such-program"])
    with pytest.raises(ExecutorStartError, match="no-such-program"):
        await executor.execute(request("j1"))
    await executor.close()


def test_the_executor_is_importable_from_the_kernel() -> None:
    assert rrq.executor.StdioExecutor is StdioExecutor
    assert issubclass(StdioExecutor, rrq.executor.Executor)


@pytest.mark.parametrize(
    ("name", "module", "distribution"),
    [
        ("StdioExecutor", "rrq_executor_stdio", "rrq-executor-stdio"),
        ("PythonExecutor", "rrq_executor_python", "rrq-executor-python"),
    ],
)
def test_a_missing_plugin_is_named_when_its_executor_is_imported(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, distribution: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"pip install {distribution}"):
        getattr(rrq.executor, name)


def test_unknown_names_are_refused() -> None:
    modules: list[Any] = [rrq.executor, rrq_executor_stdio]
    for module in modules:
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            module.Nothing  # noqa: B018
