"""Asking the operating system about processes, on Linux and macOS alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def command_lines() -> dict[int, str]:
    """The command line of every process, by its id."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split(maxsplit=1) for line in listing.splitlines())
    return {int(row[0]): row[1] for row in rows if len(row) == 2}


def processes_with(variable: str, value: str) -> dict[int, str]:
    """The command line of every living process that has this environment variable, by its id.

    What a process starts inherits its variables, however far it detaches itself.
    """
    entry = f"{variable}={value}"
    if sys.platform != "linux":
        listing = subprocess.run(
            ["ps", "-A", "-E", "-ww", "-o", "pid=,args="],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows = (line.split(maxsplit=1) for line in listing.splitlines() if entry in line.split())
        return {int(row[0]): row[1].partition(entry)[0] for row in rows}
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # One that ended and was not waited for has no environment any more.
            if entry.encode() in (process / "environ").read_bytes().split(b"\0"):
                words = (process / "cmdline").read_bytes().split(b"\0")
                found[int(process.name)] = b" ".join(words).decode(errors="replace").strip()
        except OSError:
            continue  # It has ended meanwhile, or is somebody else's.
    return found
