"""The executor of the tests: the example server, with the handlers that the contract asks for.

Arguments: its address, and how many seconds it takes until it listens.
"""

# What these handlers wait for is done by another process, a file is its sign.
# ruff: noqa: ASYNC110

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from executor_server import Client, Context, echo, serve


async def context(client: Client, context: Context) -> Context:
    return context


async def pid(client: Client, context: Context) -> int:
    return os.getpid()


async def fail(client: Client, context: Context, message: str) -> None:
    raise ValueError(message)


async def hold(client: Client, context: Context, folder: str, name: str) -> None:
    try:
        await _wait(Path(folder), name)
    except asyncio.CancelledError:
        (Path(folder) / f"{name}.stopped").touch()
        raise


async def cling(client: Client, context: Context, folder: str, name: str) -> None:
    while True:
        try:
            await _wait(Path(folder), name)
        except asyncio.CancelledError:
            continue
        return


async def die(client: Client, context: Context, status: int) -> None:
    os._exit(status)


async def garbage(client: Client, context: Context, text: str) -> None:
    client.send(text)


async def flood(client: Client, context: Context, count: int) -> None:
    print("x" * count, file=sys.stderr, flush=True)


async def report(
    client: Client, context: Context, current: float, total: float, message: str
) -> None:
    client.progress(context, current, total, message)


async def _wait(folder: Path, name: str) -> None:
    (folder / f"{name}.began").write_text(str(os.getpid()))
    while not (folder / f"{name}.release").exists():
        await asyncio.sleep(0.01)


HANDLERS = {
    one.__name__: one
    for one in (echo, context, pid, fail, hold, cling, die, garbage, flood, report)
}

if __name__ == "__main__":
    time.sleep(float(sys.argv[2]))
    asyncio.run(serve(sys.argv[1], HANDLERS, stop_seconds=0.1))
