"""One job at a time for a key, and of many in a row only the last."""

from __future__ import annotations

import asyncio

from rrq import RRQClient
from rrq.config import load_toml_settings
from rrq.exc import DuplicateJob


async def main() -> None:
    async with RRQClient(load_toml_settings()) as client:
        key = "sync:ann"
        first = await client.enqueue("sync_account", "ann", _unique_key=key)
        assert first is not None

        # While one waits or runs, a second one is not made ...
        print("second:", await client.enqueue("sync_account", "ann", _unique_key=key))

        # ... or is an error, for who wants to know.
        try:
            await client.enqueue("sync_account", "ann", _unique_key=key, _on_conflict="raise")
        except DuplicateJob:
            print("third: refused")

        # Debounce: each one gives the waiting job its own text, and another half second.
        for text in ("T", "To", "To be"):
            draft = await client.enqueue(
                "save_draft", text, _unique_key="draft:7", _on_conflict="replace", _defer_by=0.5
            )
        assert draft is not None

        print(await client.wait(first, timeout=30))
        print(await client.wait(draft, timeout=30))


if __name__ == "__main__":
    asyncio.run(main())
