"""Processes of workers: in sessions of their own, weighed, and killed with their children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_alive: set[subprocess.Popen[bytes]] = set()


def started(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """A process that `kill_tree` or, at the latest, `kill_all` ends."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    _alive.add(process)
    return process


def kill_all() -> None:
    """End every worker that is left: some would look for their server for ever."""
    for process in list(_alive):
        kill_tree(process)


def tree(pid: int) -> list[int]:
    """A process and all its descendants (Linux)."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(") ")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def kill_tree(worker: subprocess.Popen[bytes]) -> None:
    """End a worker and its children at once, as a machine does that loses its power."""
    _alive.discard(worker)
    if worker.poll() is None:
        pids = tree(worker.pid)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    # Children that had lost their parent before are still in its session.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def proportional_memory_mb(pid: int) -> float:
    """A process' memory; what it shares with others counts in part (Linux)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
