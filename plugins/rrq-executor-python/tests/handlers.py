"""The handlers that the tests' processes run."""

# What these handlers wait for is done by another process, a file is its sign.
# ruff: noqa: ASYNC110, ASYNC221, ASYNC240

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import decimal
import enum
import functools
import os
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic

from rrq import JobRegistry, PythonExecutorSettings, RRQSettings
from rrq.exc import RetryJob

job_registry = JobRegistry()
settings = PythonExecutorSettings(
    rrq_settings=RRQSettings(redis_dsn="redis://localhost:6399/7"), job_registry=job_registry
)


def handler(function: Any) -> Any:
    job_registry.register(getattr(function, "__name__", "callable"), function)
    return function


@handler
async def echo(ctx: Any, *args: Any, **kwargs: Any) -> Any:
    return {"args": args, "kwargs": kwargs}


@handler
async def describe_context(ctx: Any) -> Any:
    shown = {key: value for key, value in ctx.items() if key not in ("settings", "rrq_client")}
    return {
        **shown,
        "kinds": {key: type(value).__name__ for key, value in ctx.items()},
        "redis_dsn": ctx["settings"].redis_dsn,
        "client_shares_settings": ctx["rrq_client"].settings is ctx["settings"],
    }


@handler
async def greet(ctx: Any, name: str, *, greeting: str = "Hello") -> str:
    return f"{greeting}, {name}"


@handler
def greet_in_thread(ctx: Any, name: str) -> str:
    return f"Hello, {name}"


@handler
def thread_name(ctx: Any) -> str:
    return threading.current_thread().name


@handler
async def type_error_inside(ctx: Any) -> None:
    greet(ctx)  # type: ignore[call-arg]


@handler
async def raise_named(ctx: Any, name: str, text: str | None = None) -> None:
    kind = {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}.get(name)
    kind = kind or {"CancelledError": asyncio.CancelledError}.get(name) or ValueError
    raise kind(*([] if text is None else [text]))


@handler
def raise_in_thread(ctx: Any, name: str) -> None:
    raise {"SystemExit": SystemExit, "StopIteration": StopIteration}.get(name, ValueError)("gone")


@handler
async def exit_in_child_task(ctx: Any) -> None:
    async def leave() -> None:
        sys.exit(7)

    await asyncio.create_task(leave())


@handler
async def exit_in_forgotten_task(ctx: Any) -> str:
    async def leave() -> None:
        sys.exit(7)

    task = asyncio.create_task(leave())
    await asyncio.wait([task])
    return "still here"


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@handler
async def raise_unprintable(ctx: Any) -> None:
    raise Unprintable


@handler
async def raise_broken_text(ctx: Any) -> None:
    raise ValueError("lost \ud800 half")


@handler
async def raise_long(ctx: Any) -> None:
    raise ValueError("é" * 1_000_000)


@handler
async def recurse(ctx: Any) -> None:
    def deeper(level: int) -> int:
        return deeper(level + 1) + 1

    deeper(0)


@handler
async def retry(ctx: Any, *args: Any, defer: Any = None) -> None:
    raise RetryJob(*args, defer_seconds=defer)


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int


class Model(pydantic.BaseModel):
    when: datetime


RESULTS: dict[str, Any] = {
    "rich": {
        "datetime": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "uuid": uuid.UUID(int=7),
        "decimal": decimal.Decimal("1.10"),
        "enum": Colour.RED,
        "dataclass": Point(3),
        "pydantic": Model(when=datetime(2026, 1, 1, tzinfo=UTC)),
        "tuple": (1, 2),
    },
    "object": {"nested": [object()]},
    "nan": float("nan"),
    "infinity": [float("inf")],
    "surrogate": "\ud800",
    "bytes": b"\xff",
    "text that says NaN": "NaN and Infinity",
    "unicode": "żółć 🐍 \u2028 \x00",
    "none": None,
}


@handler
async def result_named(ctx: Any, name: str) -> Any:
    return RESULTS[name]


@handler
async def large_result(ctx: Any, size: int) -> str:
    return "x" * size


@handler
async def make_noise(ctx: Any) -> str:
    print("from print")
    print("to __stdout__", file=sys.__stdout__, flush=True)
    os.write(1, b"from os.write\n")
    subprocess.run([sys.executable, "-c", "print('from a subprocess')"], check=True)
    subprocess.run("echo from a shell", shell=True, check=True)
    process = await asyncio.create_subprocess_exec("echo", "from an asyncio subprocess")
    await process.wait()
    return "quiet"


@handler
async def which_are_imported(ctx: Any, *modules: str) -> list[str]:
    return [module for module in modules if module in sys.modules]


@handler
def read_stdin(ctx: Any) -> list[str]:
    return [sys.stdin.read(), os.read(0, 100).decode()]


@handler
def open_descriptors_of_a_subprocess(ctx: Any) -> str:
    listing = (
        "import os; fds = '/proc/self/fd';"
        "print([os.path.realpath(f'{fds}/{name}') for name in os.listdir(fds)])"
    )
    return subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, close_fds=False, check=True
    ).stdout


@handler
def count_in_forked_child(ctx: Any, inode: int) -> int:
    """How many descriptors of the pipe with this inode a forked child has."""
    pid = os.fork()
    if pid == 0:
        count = 0
        for fd in range(64):
            try:
                count += os.fstat(fd).st_ino == inode
            except OSError:
                continue
        os._exit(count)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


_barriers: dict[str, asyncio.Barrier] = {}


@handler
async def meet(ctx: Any, place: str, parties: int = 2) -> str:
    await _barriers.setdefault(place, asyncio.Barrier(parties)).wait()
    return "met"


_thread_barrier = threading.Barrier(2)


@handler
def meet_in_thread(ctx: Any) -> str:
    _thread_barrier.wait(timeout=20)
    return "met"


_running = 0
_most_running = 0


@handler
async def count_running(ctx: Any) -> int:
    global _running, _most_running
    _running += 1
    _most_running = max(_most_running, _running)
    for _ in range(20):
        await asyncio.sleep(0)
    _running -= 1
    return _most_running


_visible: contextvars.ContextVar[str] = contextvars.ContextVar("visible", default="nothing")


@handler
async def swap_context_variable(ctx: Any, value: str) -> str:
    before = _visible.get()
    _visible.set(value)
    await meet(ctx, "context variables")
    return f"{before}, then {_visible.get()}"


@handler
def read_context_variable_in_thread(ctx: Any) -> str:
    return _visible.get()


@handler
async def hang(ctx: Any, mark: str | None = None) -> None:
    try:
        if mark:
            Path(mark).write_text("began")
        await asyncio.Event().wait()
    finally:
        if mark:
            Path(mark).write_text("cleaned up")


@handler
async def refuse_to_stop(ctx: Any, mark: str) -> str:
    Path(mark).write_text("began")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "finished all the same"
    return "never"


@handler
async def fail_when_cancelled(ctx: Any, mark: str) -> None:
    Path(mark).write_text("began")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("clean-up failed") from None


@handler
def wait_in_thread(ctx: Any, began: str, go: str) -> str:
    Path(began).write_text("began")
    while not Path(go).exists():
        time.sleep(0.01)
    return "done"


@handler
async def wait_for_file(ctx: Any, began: str, go: str) -> str:
    Path(began).write_text("began")
    while not Path(go).exists():
        await asyncio.sleep(0.01)
    return "done"


@handler
async def block_for(ctx: Any, seconds: float) -> None:
    """Holds up the event loop, as a handler does that computes."""
    time.sleep(seconds)  # noqa: ASYNC251


@handler
async def block_until(ctx: Any, go: str) -> None:
    while not Path(go).exists():
        time.sleep(0.01)  # noqa: ASYNC251


@handler
async def count_up(ctx: Any, total: int) -> None:
    for number in range(1, total + 1):
        ctx.progress(number, total, f"step {number}")


@handler
async def count_for(ctx: Any, seconds: float) -> int:
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        count += 1
        ctx.progress(count)
        await asyncio.sleep(0)
    return count


@handler
def progress_in_thread(ctx: Any) -> None:
    ctx.progress(message="halfway")


@handler
async def bad_progress(ctx: Any) -> None:
    ctx.progress("half")


class Callable_:
    __name__ = "callable"

    async def __call__(self, ctx: Any, text: str) -> str:
        return text.upper()


job_registry.register("callable", Callable_())
job_registry.register("partial", functools.partial(greet, greeting="Good day"))
job_registry.register("wrapped", lambda ctx, name: greet(ctx, name))
