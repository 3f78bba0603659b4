"""An executor with the handlers that `rrq executor check` asks for by their usual names."""

import asyncio
import os

from stdio_executor import HANDLERS, Retry, handler, main, progress


@handler
async def sleep(context, seconds):
    await asyncio.sleep(seconds)


@handler
async def fail(context, message):
    raise ValueError(message)


@handler
async def retry(context, seconds):
    raise Retry("not yet", seconds)


@handler
async def report(context, current, total, message):
    progress(context, current, total, message)


async def say(context, text):
    print(text, flush=True)
    os.write(1, f"{text}\n".encode())


HANDLERS["print"] = say


if __name__ == "__main__":
    asyncio.run(main())
