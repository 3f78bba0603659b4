"""A program that imports all of RRQ, and then forks for everything that `preloaded.py` asks for.

It is told by lines of JSON what to run, and tells so when a process starts and ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

# Not stevedore: it looks at the environment when it is imported.
FOREIGN = ("croniter", "importlib.metadata", "pluggy", "pydantic", "redis.asyncio")

PACKAGES = ("rrq", "rrq_executor_stdio", "rrq_executor_python")

NOT_OF_THE_COMMAND = ("rrq.testing", "rrq.integrations", "rrq.conformance")


def main() -> None:
    program, descriptor = sys.argv[1:]
    control = socket.socket(fileno=int(descriptor))
    preload()
    # What is here now stays for good: no collection need look at it, and copy it by that.
    gc.collect()
    gc.freeze()
    request = requested(control)
    control.close()
    if request is not None:
        become(program, request)
        run(request)


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


def requested(control: socket.socket) -> dict[str, Any] | None:
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
    with control.makefile() as lines:
        for line in lines:
            pid = os.fork()
            if pid == 0:
                return dict(json.loads(line))
            tell(started=pid)
    return None


def become(program: str, request: dict[str, Any]) -> None:
    """Make this process what it would be if it had been started for this request."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["new_session"]:
        os.setsid()
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    stdout, stderr = request["stdout"], request["stderr"]
    _write_to(stdout, 1)
    if stderr == stdout:
        os.dup2(1, 2)
    else:
        _write_to(stderr, 2)
    sys.stdout = sys.__stdout__ = _text(1, sys.stdout, line_buffering=os.isatty(1))
    sys.stderr = sys.__stderr__ = _text(2, sys.stderr, line_buffering=True)
    sys.argv = [program, *request["words"]]
    given = os.environ.get("PYTHONPATH", "")
    sys.path[:0] = [str(Path(program).parent), *filter(None, given.split(os.pathsep))]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))


def run(request: dict[str, Any]) -> None:
    """Run the command, or a program given as text."""
    if code := request["code"]:
        module = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), module.__dict__)
        return
    from rrq.cli.main import main as rrq

    rrq()


def _write_to(path: str, descriptor: int) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(opened, descriptor)
    os.close(opened)


def _text(descriptor: int, like: TextIO, *, line_buffering: bool) -> TextIOWrapper:
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    return TextIOWrapper(
        open(descriptor, "wb", closefd=False),
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=line_buffering and not unbuffered,
        write_through=unbuffered,
    )


if __name__ == "__main__":
    main()
