"""Asking the operating system about processes, on Linux and macOS alike."""

from __future__ import annotations

import os
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


def children_of(pid: int) -> list[int]:
    """The ids of the processes that a process has started and that have not been waited for."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    return [
        int(child) for child, parent in map(str.split, listing.splitlines()) if int(parent) == pid
    ]


def processes_of(variable: str, value: str, directory: Path) -> dict[int, str]:
    """The command line of every living process that has this environment variable, or, on Linux,
    whose working directory is this one or below it, by its id.

    What a process starts inherits its variables, however far it detaches itself. Only a Redis
    server writes its title over them.
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
    for pid in _process_ids():
        # Some have ended meanwhile, and some are somebody else's. One that ended and was not
        # waited for has no environment any more.
        with suppress(OSError):
            if entry.encode() in _read(pid, "environ").split(b"\0") or _works_in(pid, directory):
                found[pid] = _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
    return {pid: command.strip() for pid, command in found.items()}


# Every test that starts processes looks at all of the machine's: pathlib takes three times as long.


def _process_ids() -> list[int]:
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb", 0) as file:  # noqa: PTH123
        return file.read()


def _works_in(pid: int, directory: Path) -> bool:
    return f"{os.readlink(f'/proc/{pid}/cwd')}/".startswith(f"{directory}/")  # noqa: PTH115
