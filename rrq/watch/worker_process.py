"""`WorkerProcess`: `rrq worker run` as a child that ends soon when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

GRACE_SECONDS = 2.0
"""How long running jobs may take to their end; then they go back to their queue."""

LONGEST_STOP_SECONDS = 10.0
"""After this long, without grace, the process counts as hung."""


class WorkerProcess:
    """A worker, started at once. It hears no Ctrl-C but ours, and ends when this process does.

    Args:
        arguments: what stands behind `rrq worker run`.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rrq.cli.tied", "worker", "run", *arguments],
            # Python tells old bytecode by the second: a file saved twice in one would not count.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End it: with a short grace, then without one, and at last by force."""
        for patience_seconds in (GRACE_SECONDS, LONGEST_STOP_SECONDS):
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_seconds)
                break
        else:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
