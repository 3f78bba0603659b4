"""`fork`: the command `rrq`, and an executor, as real processes, without the half second that
Python takes to import all of it.

One process of this test run has imported RRQ already (`preloading.py`), and forks for each of
them. What it forks is a process like any other, with its own environment, directory, streams,
signals and exit code; only what a start itself does is not tried. `tests/cli/test_cold_start.py`
starts every command from nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TextIO

Program = Literal["rrq", "executor", "code"]

_READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "LD_", "DYLD_")
_LATER_AS_WELL = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def may_be_preloaded(environment: dict[str, str]) -> bool:
    """Whether all that this environment tells Python can still be followed after its start."""
    return all(
        name in _LATER_AS_WELL or os.environ.get(name) == text
        for name, text in environment.items()
        if name.startswith(_READ_AT_THE_START)
    ) and not any(
        Path(folder, "sitecustomize.py").exists()
        for folder in environment.get("PYTHONPATH", "").split(os.pathsep)
        if folder
    )


def fork(
    program: Program,
    words: Sequence[str],
    directory: Path,
    environment: dict[str, str],
    *,
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    new_session: bool = False,
) -> Forked:
    """Run a program with these words, and return at once.

    Args:
        program: the command `rrq`, `python -m rrq_executor_python`, or `python -c CODE`, where
            the first of the words is the code.
        environment: all of it; `may_be_preloaded` must be true of it.
        stdout: a descriptor of ours that it is to write to; it has its own, so close ours.
        stderr: the same for stderr.
        stdin: the same for stdin; without one it reads nothing.
        new_session: leave this process group.
    """
    assert may_be_preloaded(environment)
    request = {
        "program": program,
        "words": list(words),
        "directory": str(directory),
        "environment": environment,
        "new_session": new_session,
    }
    if stdin is not None:
        return _Nursery.of_this_process().start(request, [stdin, stdout, stderr])
    with Path(os.devnull).open("rb") as nothing:
        return _Nursery.of_this_process().start(request, [nothing.fileno(), stdout, stderr])


class Forked:
    """A process that was forked for us: what `subprocess.Popen` offers, as far as it is used.

    Attributes:
        pid: its id.
        returncode: its exit code, negative if a signal ended it, None while it runs.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end within so many seconds.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("rrq", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def end(self, code: int) -> None:
        """Take note of its end."""
        self.returncode = code
        self._ended.set()


class _Nursery:
    """The process that forks, and what it tells."""

    _of_this_process: _Nursery | None = None
    _making = threading.Lock()

    @classmethod
    def of_this_process(cls) -> _Nursery:
        """The one that all tests of this process share; it ends with this process."""
        with cls._making:
            if cls._of_this_process is None:
                cls._of_this_process = cls()
            return cls._of_this_process

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        program = Path(__file__).with_name("preloading.py")
        rrq = Path(sys.executable).parent / "rrq"
        kept = {
            name: text for name, text in os.environ.items() if not name.startswith(("RRQ_", "COV"))
        }
        self._process = subprocess.Popen(
            # -P: nothing beside the program may be taken for a module of another's.
            [sys.executable, "-P", str(program), str(rrq), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={name: text for name, text in kept.items() if name != "PYTHONPATH"},
        )
        theirs.close()
        self._socket = ours
        self._starting = threading.Lock()
        self._told = threading.Condition()
        self._started: int | None = None
        self._running: dict[int, Forked] = {}
        self._ended_early: dict[int, int] = {}
        self._lost = False
        threading.Thread(target=self._listen, args=(ours.makefile(),), daemon=True).start()
        atexit.register(self._close)

    def start(self, request: dict[str, Any], streams: Sequence[int]) -> Forked:
        """Have a process forked for this request."""
        with self._starting:
            line = json.dumps(request).encode() + b"\n"
            socket.send_fds(self._socket, [line[:1]], streams)
            self._socket.sendall(line[1:])
            with self._told:
                self._told.wait_for(lambda: self._started is not None or self._lost)
                assert self._started is not None, "the process that has RRQ imported has ended"
                pid, self._started = self._started, None
                forked = self._running[pid] = Forked(pid)
                if pid in self._ended_early:
                    self._running.pop(pid).end(self._ended_early.pop(pid))
                return forked

    def _listen(self, lines: TextIO) -> None:
        # Reset instead of closed if it was killed.
        with suppress(ConnectionResetError):
            for line in lines:
                self._take_note(json.loads(line))
        with self._told:
            self._lost = True
            self._told.notify_all()

    def _take_note(self, told: dict[str, int]) -> None:
        with self._told:
            if "started" in told:
                self._started = told["started"]
                self._told.notify_all()
            elif forked := self._running.pop(told["ended"], None):
                forked.end(told["code"])
            else:
                self._ended_early[told["ended"]] = told["code"]

    def _close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._process.wait()
