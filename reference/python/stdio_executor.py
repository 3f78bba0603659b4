"""The shortest correct executor: the whole protocol in one file, for whoever ports it.

docs/reference/protocol.md says what stands on each line. Handlers are at the bottom; add yours.
"""

import asyncio
import json
import os
import sys
import threading
import traceback
from datetime import UTC, datetime

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_IN_FLIGHT = 32
FEATURES = os.environ.get("RRQ_PROTOCOL_FEATURES", "").split(",")  # what the worker understands
HANDLERS = {}

# Stdout is the protocol's: whatever else is printed goes to stderr, and so into the worker's log.
protocol = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)


def handler(function):
    """Register a handler: a coroutine function of a context, args and kwargs."""
    HANDLERS[function.__name__] = function
    return function


class Retry(Exception):
    """Raised by a handler to be run again; without a delay, after the usual backoff."""

    def __init__(self, message="Job requested retry", seconds=None):
        super().__init__(message)
        self.seconds = seconds


def send(message):
    """Write one line; if it is not JSON, half a surrogate pair or too long, one that says so."""
    try:
        line = json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"its line has {len(line)} bytes, the most is {MAX_LINE_BYTES}")
    except (TypeError, ValueError, RecursionError) as error:
        send(failure(message["job_id"], f"The result cannot be sent: {error}"))
    else:
        protocol.write(line + b"\n")
        protocol.flush()


def progress(context, current=None, total=None, message=None):
    """Tell how far a job is, if the worker wants to know."""
    if "progress" in FEATURES:
        report = {"current": current, "total": total, "message": message}
        send({"type": "progress", "job_id": context["job_id"], **report})


def failure(job_id, message, error_type=None, status="error"):
    """An outcome that is no success."""
    message = str(message).encode(errors="replace").decode()
    return {"job_id": job_id, "status": status, "error_message": message, "error_type": error_type}


def read_lines(loop, lines):
    """Put each line of stdin, b"" for one that is too long, and None at the end."""
    while line := sys.stdin.buffer.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = sys.stdin.buffer.readline(MAX_LINE_BYTES + 1)
        loop.call_soon_threadsafe(lines.put_nowait, line if rest is line else b"")
    loop.call_soon_threadsafe(lines.put_nowait, None)


def parse(line):
    """A line as a request or a cancel. Raises ValueError: it is neither."""
    if not line:
        raise ValueError(f"it is longer than {MAX_LINE_BYTES} bytes")
    message = json.loads(line.decode(), parse_constant=lambda word: int(word))  # NaN is no JSON
    wanted = {"job_id": str, "function_name": str, "args": list, "kwargs": dict, "context": dict}
    if not isinstance(message, dict):
        raise ValueError("it is no object")
    if message.get("type") == "cancel" or message.get("protocol_version", "1") != "1":
        wanted = {"job_id": str}  # Another version may have another shape.
    for name, kind in wanted.items():
        if not isinstance(message.get(name), kind):
            raise ValueError(f"`{name}` is no {kind.__name__}")
    message["job_id"].encode()  # Half a surrogate pair could not be answered.
    return message


async def carry_out(request):
    """The outcome of one request, whatever its handler does."""
    job_id, name, context = request["job_id"], request["function_name"], request["context"]
    if name not in HANDLERS:
        return failure(job_id, f"No handler registered for function '{name}'", "handler_not_found")
    try:
        end = datetime.fromisoformat(context.get("deadline") or "9999-01-01T00:00:00Z")
        async with asyncio.timeout((end - datetime.now(UTC)).total_seconds()) as limit:
            result = await HANDLERS[name](context, *request["args"], **request["kwargs"])
        return {"job_id": job_id, "status": "success", "result": result}
    except Retry as retry:
        return failure(job_id, retry, "Retry", "retry") | {"retry_after_seconds": retry.seconds}
    except Exception as error:
        if isinstance(error, TimeoutError) and limit.expired():
            return failure(job_id, "Job timed out.", "Timeout", "timeout")
        traceback.print_exc()
        return failure(job_id, error, type(error).__name__)


async def main():
    """Serve requests until stdin ends, then finish those that run."""
    loop, lines, running = asyncio.get_running_loop(), asyncio.Queue(), {}
    threading.Thread(target=read_lines, args=(loop, lines), daemon=True).start()
    if "hello" in FEATURES:
        send({"type": "hello", "protocol_version": "1", "features": ["cancel", "progress"],
              "max_in_flight": MAX_IN_FLIGHT, "functions": sorted(HANDLERS),
              "runtime": f"python {sys.version.split()[0]}"})  # fmt: skip

    def answer(job_id, task):
        if running.get(job_id) is task:
            del running[job_id]
        stopped = failure(job_id, "The job was cancelled.", "Cancelled")
        send(stopped if task.cancelled() else task.result())

    while (line := await lines.get()) is not None:
        try:
            message = parse(line)
        except (ValueError, RecursionError) as error:
            if not line.isspace():
                send(failure("unknown", f"The line is not a request: {error}"))
            continue
        job_id = message["job_id"]
        if message.get("type") == "cancel":
            if job_id in running:
                running[job_id].cancel()
        elif message.get("protocol_version") != "1":
            send(failure(job_id, "Unsupported protocol version"))
        else:
            task = running[job_id] = asyncio.create_task(carry_out(message))
            task.add_done_callback(lambda task, job_id=job_id: answer(job_id, task))
    await asyncio.gather(*running.values(), return_exceptions=True)


@handler
async def echo(context, *args, **kwargs):
    return {"args": args, "kwargs": kwargs}


if __name__ == "__main__":
    asyncio.run(main())
