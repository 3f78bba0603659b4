"""Ways to be wrong in the lines that are written; `broken.py` runs them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "reference" / "python"))

import stdio_executor as executor


def begins_lines_with_their_end() -> None:
    executor.send = lambda message: write(b"\n" + as_line(message))


def forgets_the_last_line_feed() -> None:
    read_lines, at_end = executor.read_lines, []

    def read(loop: Any, lines: Any) -> None:
        read_lines(loop, lines)
        at_end.append(True)

    executor.read_lines = read
    executor.send = lambda message: write(as_line(message) + (b"" if at_end else b"\n"))


def never_ends_a_line() -> None:
    async def pour(request: Any) -> Any:
        while True:
            executor.protocol.write(b"x" * 2**20)

    executor.carry_out = pour


def prints_dots() -> None:
    executor.send = lambda message: write(b"." + as_line(message) + b"\n")


def writes_latin_1() -> None:
    executor.send = lambda message: write(as_line(message, encoding="latin-1") + b"\n")


def writes_as_the_locale_says() -> None:
    encoding = "ascii" if os.environ.get("LC_ALL") == "C" else "utf-8"
    executor.send = lambda message: write(as_line(message, encoding=encoding) + b"\n")


def writes_nan() -> None:
    executor.send = lambda message: write(as_line(message, allow_nan=True) + b"\n")


def cuts_long_lines() -> None:
    executor.send = lambda message: write(as_line(message)[: 2**16] + b"\n")


def escapes_beyond_the_limit() -> None:
    executor.send = lambda message: write(as_line(message, ensure_ascii=True) + b"\n")


def mixes_long_lines() -> None:
    async def in_pieces(line: bytes) -> None:
        for begin in range(0, len(line), 2**16):
            write(line[begin : begin + 2**16])
            await asyncio.sleep(0.01)

    tasks = set()

    def begin(message: Any) -> None:
        tasks.add(asyncio.create_task(in_pieces(as_line(message) + b"\n")))

    executor.send = begin


def as_line(
    message: Any, *, encoding: str = "utf-8", ensure_ascii: bool = False, allow_nan: bool = False
) -> bytes:
    """A message as it is written, or what the reference would write if it cannot be."""
    try:
        text = json.dumps(message, ensure_ascii=ensure_ascii, allow_nan=allow_nan)
    except (TypeError, ValueError, RecursionError) as error:
        return as_line(executor.failure(message["job_id"], f"no JSON: {error}"))
    return text.encode(encoding, "replace")


def write(line: bytes) -> None:
    """Write to the protocol."""
    executor.protocol.write(line)
    executor.protocol.flush()
