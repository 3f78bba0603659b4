"""`others_first`: put off what is not urgent until what was begun before has gone on."""

from __future__ import annotations

import asyncio


async def others_first(turns: int) -> None:
    """Come back after so many turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
