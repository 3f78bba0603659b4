"""`Ledger`: what handlers really did, written by them to a file that RRQ knows nothing of.

Each entry is one `write` to a file opened with O_APPEND, so that entries of many processes never
mix, and what was written before a SIGKILL stays.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LEDGER_VARIABLE = "RRQ_FAULT_LEDGER"

Event = Literal["born", "start", "end"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes:
        event: an executor process was `born`, or a run of a job had its `start` or `end`.
        token: the lease token of the run.
        time: seconds since the epoch.
    """

    event: Event
    job_id: str
    attempt: int
    token: int
    pid: int
    time: float


def record(event: Event, job_id: str = "", attempt: int = 0, token: int = 0) -> None:
    """Write one entry to the ledger that the environment names."""
    line = json.dumps([event, job_id, attempt, token, os.getpid(), time.time()])
    ledger = os.open(os.environ[LEDGER_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, f"{line}\n".encode())
    finally:
        os.close(ledger)


class Ledger:
    """Reads what was recorded; each call reads only what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._read_bytes = 0
        self._entries: list[Entry] = []

    def entries(self, event: Event | None = None, job_id: str | None = None) -> list[Entry]:
        """All entries in order, or those of one kind or of one job."""
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, _, _ = file.read().rpartition(b"\n")
        if whole:
            self._read_bytes += len(whole) + 1
            self._entries += [Entry(*json.loads(line)) for line in whole.splitlines()]
        return [
            entry
            for entry in self._entries
            if (event is None or entry.event == event)
            and (job_id is None or entry.job_id == job_id)
        ]

    def starts(self, job_id: str | None = None) -> list[Entry]:
        """The runs that began."""
        return self.entries("start", job_id)

    def ends(self, job_id: str | None = None) -> list[Entry]:
        """The runs that came to their own end."""
        return self.entries("end", job_id)

    def running(self) -> list[Entry]:
        """The runs that began and have not come to their own end, killed ones included."""
        ended = {(entry.job_id, entry.token) for entry in self.ends()}
        return [entry for entry in self.starts() if (entry.job_id, entry.token) not in ended]

    def runs_by_job(self) -> dict[str, list[Entry]]:
        """The starts of each job, in order."""
        runs: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.starts():
            runs[entry.job_id].append(entry)
        return runs

    def neighbours(self, job_id: str) -> set[str]:
        """The jobs that ran in the same process while the last run of this one went on."""
        last = self.starts(job_id)[-1]
        there: set[str] = set()
        has_begun = False
        for entry in self.entries():
            if entry.pid != last.pid:
                continue
            if (entry.job_id, entry.token) == (job_id, last.token):
                has_begun = True
                if entry.event == "end":
                    break
            elif entry.event == "start":
                there.add(entry.job_id)
            elif entry.event == "end" and not has_begun:
                there.discard(entry.job_id)
        return there

    def executor_pids(self) -> set[int]:
        """Every executor process that was ever born."""
        return {entry.pid for entry in self.entries("born")}
