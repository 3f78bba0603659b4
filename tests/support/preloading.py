"""A program that imports all of RRQ, and then forks for everything that `preloaded.py` asks for.

It is told by lines of JSON what to run, and tells so when a process starts and ends.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import termios
import time
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

# Not stevedore: it looks at the environment when it is imported.
FOREIGN = ("croniter", "importlib.metadata", "pluggy", "pydantic", "redis.asyncio")

PACKAGES = ("rrq", "rrq_executor_stdio", "rrq_executor_python")

Request = dict[str, Any]
Streams = list[int]
"""Descriptors for stdin, stdout and stderr."""

NOT_OF_THE_COMMAND = ("rrq.testing", "rrq.integrations", "rrq.conformance")


def main() -> None:
    command, descriptor = sys.argv[1:]
    control = socket.socket(fileno=int(descriptor))
    preload()
    # What is here now stays for good: no collection need look at it, and copy it by that.
    gc.collect()
    gc.freeze()
    requested = serve(control)
    control.close()
    if requested is not None:
        become(command, *requested)
        run(requested[0])


def preload() -> None:
    """Import what `rrq` imports sooner or later, without running anything of it."""
    for name in FOREIGN:
        importlib.import_module(name)
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # A `__main__` would run.
            if module.name.startswith(NOT_OF_THE_COMMAND) or module.name.endswith("__main__"):
                continue
            # What cannot be imported will fail again in the command that needs it.
            with suppress(Exception):
                importlib.import_module(module.name)


def serve(control: socket.socket) -> tuple[Request, Streams] | None:
    """In each forked process the request that it is for; in the first, in the end, None."""

    def tell(**told: int) -> None:
        with suppress(OSError):
            control.sendall(json.dumps(told).encode() + b"\n")

    def tell_of_ends(*_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                tell(ended=ended[0], code=os.waitstatus_to_exitcode(ended[1]))

    signal.signal(signal.SIGCHLD, tell_of_ends)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while received := _receive(control):
        request, streams = received
        pid = os.fork()
        if pid == 0:
            return request, streams
        for stream in streams:
            os.close(stream)
        tell(started=pid)
    return None


def _receive(control: socket.socket) -> tuple[Request, Streams] | None:
    line, streams, _, _ = socket.recv_fds(control, 1, 3)
    while line and not line.endswith(b"\n"):
        line += control.recv(65536)
    return (json.loads(line), streams) if line else None


def become(command: str, request: Request, streams: Streams) -> None:
    """Make this process what it would be if it had been started for this request."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["new_session"]:
        os.setsid()
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    if request["new_session"] and os.isatty(0):
        # The terminal becomes the session's own, as it does if its leader opens it.
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = sys.__stdin__ = _text(0, "rb", sys.stdin)
    sys.stdout = sys.__stdout__ = _text(1, "wb", sys.stdout, by_line=os.isatty(1))
    sys.stderr = sys.__stderr__ = _text(2, "wb", sys.stderr, by_line=True)
    first = str(Path(command).parent) if request["program"] == "rrq" else request["directory"]
    given = os.environ.get("PYTHONPATH", "")
    sys.path[:0] = [first, *filter(None, given.split(os.pathsep))]
    sys.argv = [command, *request["words"]]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))


def _text(descriptor: int, mode: str, like: TextIO, *, by_line: bool = False) -> TextIOWrapper:
    unbuffered = mode == "wb" and bool(os.environ.get("PYTHONUNBUFFERED"))
    return TextIOWrapper(
        open(descriptor, mode, closefd=False),
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=by_line and not unbuffered,
        write_through=unbuffered,
    )


def run(request: Request) -> None:
    """Run what was asked for; what it raises ends this process as it would have ended any."""
    match request["program"]:
        case "rrq":
            from rrq.cli.main import main as rrq

            rrq()
        case "executor":
            runpy.run_module("rrq_executor_python", run_name="__main__", alter_sys=True)
        case "code":
            module = sys.modules["__main__"] = ModuleType("__main__")
            sys.argv[:2] = ["-c"]
            exec(compile(request["words"][0], "<string>", "exec"), module.__dict__)


if __name__ == "__main__":
    main()
