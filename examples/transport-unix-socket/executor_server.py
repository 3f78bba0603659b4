"""An executor that serves requests on a socket, with nothing but the standard library.

    python executor_server.py unix:/tmp/shop.sock

A worker connects; from then on every line is as docs/reference/protocol.md says, with the hello
as the first one. When the worker closes its half, what runs for it is stopped, and then this half
is closed. Whoever keeps the process running, such as systemd, starts it again if it has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

MAX_LINE_BYTES = 16 * 1024 * 1024

Handler = Callable[..., Awaitable[Any]]
Context = dict[str, Any]
"""What a request tells of its job: `job_id`, `attempt`, `deadline` and more."""


async def serve(
    address: str,
    handlers: Mapping[str, Handler],
    *,
    max_in_flight: int = 32,
    stop_seconds: float = 5.0,
) -> None:
    """Serve on `unix:PATH` or `tcp:HOST:PORT` for ever.

    Args:
        handlers: by name; each is called with its `Client`, its request's context, and the
            arguments.
        max_in_flight: the most requests that one worker may have here at once.
        stop_seconds: how long handlers may take to stop. The process ends with status 70 if one
            does not: otherwise its job might run here and elsewhere at the same time.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Client(reader, writer, handlers, stop_seconds).attend(max_in_flight)

    kind, _, place = address.partition(":")
    if kind == "unix":
        mask = os.umask(0o077)  # for this user alone, from the first moment
        try:
            server = await asyncio.start_unix_server(connected, place, limit=MAX_LINE_BYTES)
        finally:
            os.umask(mask)
    else:
        host, _, port = place.rpartition(":")
        server = await asyncio.start_server(connected, host, int(port), limit=MAX_LINE_BYTES)
    print(f"serving on {address}", file=sys.stderr, flush=True)
    async with server:
        await server.serve_forever()


class Client:
    """One worker's connection, and the handlers that run for it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handlers: Mapping[str, Handler],
        stop_seconds: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handlers = handlers
        self._stop_seconds = stop_seconds
        self._running: dict[str, asyncio.Task[None]] = {}

    def send(self, message: Any) -> None:
        """Send a message; text is sent as it is."""
        text = message if isinstance(message, str) else json.dumps(message)
        self._writer.write(text.encode() + b"\n")

    def progress(self, context: Context, current: float, total: float, message: str) -> None:
        """Tell the worker how far a job is."""
        report = {"current": current, "total": total, "message": message}
        self.send({"type": "progress", "job_id": context["job_id"], **report})

    async def attend(self, max_in_flight: int) -> None:
        """Say hello, serve until the worker leaves, and stop what still runs for it."""
        self.send(
            {
                "type": "hello",
                "protocol_version": "1",
                "features": ["cancel", "progress"],
                "max_in_flight": max_in_flight,
                "functions": sorted(self._handlers),
                "runtime": f"python {sys.version.split()[0]}",
            }
        )
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError) as error:
            print(f"a connection was given up: {error}", file=sys.stderr, flush=True)
        await self._stop_the_rest()
        self._writer.close()

    def _take(self, message: dict[str, Any]) -> None:
        job_id = message["job_id"]
        if message.get("type") == "cancel":
            if job_id in self._running:
                self._running[job_id].cancel()
        elif message.get("protocol_version") != "1":
            self.send(_failure(job_id, "Unsupported protocol version", None))
        else:
            task = asyncio.create_task(self._answer(message))
            self._running[job_id] = task
            # Also for one that was cancelled before it began.
            task.add_done_callback(lambda task: self._forget(job_id, task))

    async def _answer(self, request: dict[str, Any]) -> None:
        outcome = await self._outcome(request)
        self._running.pop(request["job_id"])
        self.send(outcome)
        await self._writer.drain()

    async def _outcome(self, request: dict[str, Any]) -> dict[str, Any]:
        job_id, name = request["job_id"], request["function_name"]
        if name not in self._handlers:
            reason = f"No handler registered for function '{name}'"
            return _failure(job_id, reason, "handler_not_found")
        try:
            arguments = (request["context"], *request["args"])
            result = await self._handlers[name](self, *arguments, **request["kwargs"])
            json.dumps(result)
        except Exception as error:
            traceback.print_exc()
            return _failure(job_id, str(error), type(error).__name__)
        return {"job_id": job_id, "status": "success", "result": result}

    def _forget(self, job_id: str, task: asyncio.Task[None]) -> None:
        if task.cancelled() and job_id in self._running:
            del self._running[job_id]
            self.send(_failure(job_id, "The job was cancelled.", "Cancelled"))
        elif not task.cancelled():
            task.exception()  # A worker that is gone cannot be answered; `attend` has noticed.

    async def _stop_the_rest(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks and (await asyncio.wait(tasks, timeout=self._stop_seconds))[1]:
            print("a handler does not stop: the process ends", file=sys.stderr, flush=True)
            os._exit(70)


def _failure(job_id: str, message: str, error_type: str | None) -> dict[str, Any]:
    return {"job_id": job_id, "status": "error", "error_message": message, "error_type": error_type}


async def echo(client: Client, context: Context, *args: Any, **kwargs: Any) -> Any:
    """Give back what came."""
    return {"args": args, "kwargs": kwargs}


async def count_words(client: Client, context: Context, path: str) -> int:
    """How many words a file of this machine has."""
    return len((await asyncio.to_thread(Path(path).read_text)).split())


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].startswith(("unix:", "tcp:")):
        sys.exit("usage: python executor_server.py unix:PATH | tcp:HOST:PORT")
    try:
        asyncio.run(serve(sys.argv[1], {"echo": echo, "count_words": count_words}))
    except OSError as error:
        sys.exit(f"cannot serve on {sys.argv[1]}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
