"""How an executor process is started: what it runs, where, and that it never outlives us.

A process gets a group of its own, so that Ctrl-C in a terminal reaches the worker alone and a
kill reaches everything the executor started; on Linux it also dies with the thread that
started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rrq.exc import ExecutorStartError
from rrq.protocol import PROTOCOL_FEATURES

_P = TypeVar("_P", bound=asyncio.SubprocessProtocol)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What one executor's processes run.

    Attributes:
        executor_name: NAME in `[rrq.executors.NAME]`.
        command: the program and its arguments.
        environment: all of the process's variables.
        cwd: its directory; `None` is ours.
    """

    executor_name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: str | None

    async def spawn(self, protocol: Callable[[], _P]) -> _P:
        """Start a process that talks to what `protocol` makes, which it returns.

        Raises:
            ExecutorStartError: the program cannot be run; the message says where it was
                looked for.
        """
        try:
            _, spawned = await asyncio.get_running_loop().subprocess_exec(
                protocol,
                *self.command,
                cwd=self.cwd,
                env=dict(self.environment),
                start_new_session=True,
                preexec_fn=_bound_to_parent(),
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise ExecutorStartError(self._why_not(error)) from None
        return spawned

    def _why_not(self, error: Exception) -> str:
        program = self.command[0]
        who = f"executor {self.executor_name!r} cannot start:"
        if self.cwd is not None and not Path(self.cwd).is_dir():
            return f"{who} its directory {str(Path(self.cwd).absolute())!r} (cwd) does not exist"
        if not isinstance(error, FileNotFoundError):
            return f"{who} {program!r}: {getattr(error, 'strerror', None) or error}"
        if os.sep in program:
            path = Path(self.cwd or ".", program).absolute()
            if path.exists():
                return f"{who} the interpreter in the first line of {str(path)!r} does not exist"
            return f"{who} there is no program {str(path)!r}"
        return (
            f"{who} there is no program {program!r} in PATH"
            f" ({self.environment.get('PATH', os.defpath)})"
        )


def environment(executor_name: str, worker_id: str, additions: Mapping[str, str]) -> dict[str, str]:
    """The variables of an executor process: ours, what the protocol adds, then `additions`."""
    return {
        **os.environ,
        "RRQ_EXECUTOR_NAME": executor_name,
        "RRQ_WORKER_ID": worker_id,
        "RRQ_PROTOCOL_FEATURES": PROTOCOL_FEATURES,
        **additions,
    }


def signal_group(pid: int, signal_number: signal.Signals) -> None:
    """Send a signal to a process and to everything in its group, if there is anything left."""
    try:
        os.killpg(pid, signal_number)
    except (ProcessLookupError, PermissionError):
        # macOS answers "not permitted" for a group of which only a zombie is left.
        return


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _bound_to_parent() -> Callable[[], None] | None:
    """What the child runs before the program, so that it has no more of us than its own ends of
    the pipes, and the kernel kills it when we die."""
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def bind() -> None:
        # uvloop leaves copies of the pipes open, so that a closed stdout would go unnoticed.
        for path in Path("/proc/self/fd").iterdir():
            if int(path.name) > 2:
                with contextlib.suppress(OSError):
                    os.set_inheritable(int(path.name), False)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above
            os._exit(1)

    return bind
