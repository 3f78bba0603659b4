"""How an executor process is started: what it runs, where, and that it never outlives us.

A process gets a group of its own, so that Ctrl-C in a terminal reaches the worker alone and a
kill reaches everything the executor started; on Linux it also dies with the thread that
started it.
"""

from __future__ import annotations

import asyncio
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
        if obstacle := self._obstacle():
            raise ExecutorStartError(f"{self._who} {obstacle}")
        try:
            _, spawned = await asyncio.get_running_loop().subprocess_exec(
                protocol,
                *_leashed(self.command),
                cwd=self.cwd,
                env=dict(self.environment),
                start_new_session=True,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ExecutorStartError(f"{self._who} {self.command[0]!r}: {reason}") from None
        return spawned

    @property
    def _who(self) -> str:
        return f"executor {self.executor_name!r} cannot start:"

    def _obstacle(self) -> str | None:
        """Why the program could not be run, as far as can be seen before it is tried."""
        if self.cwd is not None and not Path(self.cwd).is_dir():
            return f"its directory {str(Path(self.cwd).absolute())!r} (cwd) does not exist"
        program = self.command[0]
        if os.sep in program:
            path = Path(self.cwd or ".", program).absolute()
            if not path.exists():
                return f"there is no program {str(path)!r}"
        else:
            searched = os.get_exec_path(self.environment)
            found = [Path(self.cwd or ".", folder, program).absolute() for folder in searched]
            runnable = [path for path in found if _may_be_run(path)]
            if not runnable:
                return f"there is no program {program!r} in PATH ({os.pathsep.join(searched)})"
            path = runnable[0]
        if not _may_be_run(path):
            return f"{program!r}: Permission denied"
        interpreter = _interpreter_of(path)
        if interpreter and not Path(self.cwd or ".", interpreter).exists():
            return f"the interpreter in the first line of {str(path)!r} does not exist"
        return None


def _may_be_run(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _interpreter_of(path: Path) -> str | None:
    """The program that runs this one, if its first line names one."""
    try:
        with path.open("rb") as file:
            line = file.readline(256)
    except OSError:  # It may be run all the same.
        return None
    words = line[2:].split(maxsplit=1) if line.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else None


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


def _leashed(command: Sequence[str]) -> list[str]:
    """The command such that the kernel kills it when we die, where there is a kernel that can.

    A `preexec_fn` could ask for that too, but with one Python forks, and before that calls what
    libraries registered: ddtrace waits there until its agent has answered, for 20 s of our loop.
    """
    if sys.platform != "linux":
        return list(command)
    # Nothing of the environment, nor of what is installed, concerns that program.
    return [sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *command]


_LEASH = str(Path(__file__).with_name("leash.py"))
