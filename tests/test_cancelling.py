"""Tasks that are to end do, whatever they and the caller go through meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from rrq import cancelling
from rrq.cancelling import cancelled


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "CANCEL_AGAIN_SECONDS", 0.01)


async def deaf(times: int) -> None:
    """Lose so many cancellations, as `wait_for` may."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def begun(*coroutines: asyncio.Future[None] | object) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(one) for one in coroutines]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return tasks


async def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    tasks = await begun(deaf(3))
    await cancelled(tasks)
    assert tasks[0].cancelled()


async def test_a_task_that_has_failed_raises_nothing_here() -> None:
    async def failing() -> None:
        raise LookupError

    tasks = await begun(failing(), deaf(0))
    await cancelled(tasks)
    assert isinstance(tasks[0].exception(), LookupError)
    assert tasks[1].cancelled()


async def test_who_is_cancelled_meanwhile_leaves_no_task_behind_and_hears_of_it() -> None:
    tasks = await begun(deaf(3), deaf(1))
    caller = asyncio.create_task(cancelled(tasks))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert all(task.cancelled() for task in tasks)
