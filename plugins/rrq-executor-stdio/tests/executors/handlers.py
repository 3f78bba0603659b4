"""The handlers of the transport contract, and how an executor of the tests begins."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Failed(Exception):
    """A handler's error; the message goes into the outcome."""


def begin(start: str) -> None:
    """Come up as the contract's `start` says."""
    if start == "failing":
        print("no database is there", file=sys.stderr, flush=True)
        sys.exit(3)
    if start == "slow":
        time.sleep(2)


def run(
    request: dict[str, Any], say: Callable[[str | dict[str, Any]], None], stop: Callable[[], bool]
) -> dict[str, Any]:
    """The outcome of one request.

    Args:
        say: prints a line to stdout, as it is or as JSON.
        stop: whether the request is to stop.
    """
    job_id = request["job_id"]
    try:
        result = _handle(request, say, stop)
    except Failed as error:
        return {
            "job_id": job_id,
            "status": "error",
            "error_message": str(error),
            "error_type": "ValueError",
        }
    return {"job_id": job_id, "status": "success", "result": result}


def _handle(
    request: dict[str, Any], say: Callable[[str | dict[str, Any]], None], stop: Callable[[], bool]
) -> Any:
    job_id, args = request["job_id"], request["args"]
    result: Any = None
    match request["function_name"]:
        case "echo":
            result = {"args": args, "kwargs": request["kwargs"]}
        case "request":
            result = request
        case "context":
            result = request["context"]
        case "environment":
            result = {name: os.environ.get(name) for name in args}
        case "cwd":
            result = str(Path.cwd())
        case "pid":
            result = os.getpid()
        case "child":
            result = _start_child()
        case "fail":
            raise Failed(args[0])
        case "hold":
            result = _hold(Path(args[0]), args[1], stop)
        case "cling":
            result = _hold(Path(args[0]), args[1], lambda: False)
        case "die":
            os._exit(args[0])
        case "garbage":
            say(args[0])
        case "log":
            print(args[0], file=sys.stderr, flush=True)
        case "flood":
            _flood(args[0])
        case "report":
            current, total, message = args
            say(_progress(job_id, current, total, message))
        case unknown:
            raise Failed(f"no handler {unknown}")
    return result


def _progress(job_id: str, current: int, total: int, message: str) -> dict[str, Any]:
    return {
        "type": "progress",
        "job_id": job_id,
        "current": current,
        "total": total,
        "message": message,
    }


def _hold(folder: Path, name: str, stop: Callable[[], bool]) -> str:
    (folder / f"{name}.began").write_text(str(os.getpid()))
    while not (folder / f"{name}.release").exists():
        if stop():
            (folder / f"{name}.stopped").touch()
            raise Failed("stopped")
        time.sleep(0.005)
    return name


def _flood(count: int) -> None:
    line = b"x" * 79 + b"\n"
    while count > 0:
        count -= os.write(2, line * min(500, 1 + count // 80))


def _start_child() -> int:
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    return child
