"""`cancelled`: end tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

CANCEL_AGAIN_SECONDS = 0.5


async def cancelled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they have ended, whatever they end with.

    Who is cancelled in the meantime goes on until they have, and hears of it then: what is left
    behind may never end.

    Raises:
        asyncio.CancelledError: the caller was cancelled meanwhile.
    """
    given = list(tasks)
    interruption: asyncio.CancelledError | None = None
    while left := [task for task in given if not task.done()]:
        # On Python 3.11 `asyncio.wait_for`, within redis-py, loses a cancellation that comes in
        # the moment in which a command has been sent: say it until it is heard.
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
        except asyncio.CancelledError as error:
            interruption = error
    await asyncio.gather(*given, return_exceptions=True)
    if interruption:
        raise interruption
