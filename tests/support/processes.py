"""Asking the operating system about processes, on Linux and macOS alike."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
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

    What a process starts inherits its variables, however far it detaches itself. Only a Redis
    server is not found: it writes its title over them.
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
        # Some have ended meanwhile, and some are somebody else's.
        with suppress(OSError):
            # One that ended and was not waited for has no environment any more.
            if entry.encode() in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = _command_line(process)
    return found


def processes_in(directory: Path) -> dict[int, str]:
    """The command line of every process whose working directory is this one or below it, by its
    id; on Linux only, elsewhere none."""
    found = {}
    for process in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(directory):
                found[int(process.name)] = _command_line(process)
    return found


def _command_line(process: Path) -> str:
    return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
