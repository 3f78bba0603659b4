"""`Terminal`: a command on a terminal of its own, as a person has it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.distributions import rrq_command
from tests.support.preloaded import Forked, fork, may_be_preloaded

CTRL_C = b"\x03"


class Terminal:
    """Runs a command whose stdin, stdout and stderr are a terminal that it controls.

    Ctrl-C typed there reaches the command's whole process group.

    Args:
        columns: how wide the terminal is, in cells.
        rows: how high.
        cold: start Python for `rrq` too, instead of forking a process that has it imported.
        variables: added to the environment, which else has `TERM=xterm`.
    """

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        environment: dict[str, str],
        columns: int = 100,
        rows: int = 24,
        cold: bool = False,
        **variables: str,
    ) -> None:
        self._control, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        inherited = ("COLUMNS", "LINES", "TERM")
        kept = {name: text for name, text in environment.items() if name not in inherited}
        environment = {"TERM": "xterm", **kept, **variables}
        self._written = b""
        self._terminal = terminal
        self.process: Forked | subprocess.Popen[bytes]
        if not cold and command[0] == "rrq" and _is_ours(environment):
            streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
            words = command[1:]
            self.process = fork("rrq", words, directory, environment, new_session=True, **streams)
            return
        self.process = subprocess.Popen(
            # The shell makes the terminal its own, and then becomes the command.
            ["/bin/sh", "-c", 'exec "$@" <"$TTY" >"$TTY" 2>&1', "sh", *command],
            cwd=directory,
            env={**environment, "TTY": os.ttyname(terminal)},
            start_new_session=True,
        )

    @property
    def written(self) -> str:
        """What the command has written."""
        return self._written.decode(errors="replace").replace("\r\n", "\n")

    def shows(self, pattern: str, within_seconds: float = 30.0) -> None:
        """Wait until what was written matches the pattern."""
        deadline = time.monotonic() + within_seconds
        while not re.search(pattern, self.written):
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.written}"
            assert self.process.poll() is None, f"ended without {pattern!r}:\n{self.written}"
            self._read()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._control, keys)

    def wait(self, within_seconds: float) -> int:
        """Wait for the command's end; its exit code."""
        deadline = time.monotonic() + within_seconds
        try:
            while self.process.poll() is None:
                assert time.monotonic() < deadline, f"it goes on:\n{self.written}"
                self._read()
            self._read()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            os.close(self._control)
            os.close(self._terminal)
        return self.process.returncode

    def _read(self) -> None:
        readable, _, _ = select.select([self._control], [], [], 0.05)
        if readable:
            self._written += os.read(self._control, 65536)


def _is_ours(environment: dict[str, str]) -> bool:
    first, _, _ = environment.get("PATH", "").partition(os.pathsep)
    return Path(first) == rrq_command().parent and may_be_preloaded(environment)
