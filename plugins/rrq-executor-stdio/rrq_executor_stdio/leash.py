"""A program that becomes another one, which dies with the process that started it; on Linux.

    python -I -S leash.py PARENT PROGRAM [ARGUMENT...]

PARENT is the id of the process that starts it. In place of PROGRAM it would leave no trace: the
environment and the signals are those that it was given.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # signal itself takes as long as all else
import ctypes
import os
import sys

CANNOT_BE_RUN = 127
"""The exit status that shells give for it."""

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # It died before the call above.
        os._exit(1)
    # uvloop leaves copies of the pipes open, so that a closed stdout would go unnoticed.
    for entry in os.scandir("/proc/self/fd"):
        if int(entry.name) > 2:
            _close_when_run(int(entry.name))
    # Python ignores these, and so would the program.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, _environment())
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]!r}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(CANNOT_BE_RUN)


def _close_when_run(descriptor: int) -> None:
    try:
        os.set_inheritable(descriptor, False)
    except OSError:  # The one by which they were listed.
        return


def _environment() -> dict[bytes, bytes]:
    """As it was given: Python may have added a locale to its own."""
    # pathlib would take longer than all of this program.
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


if __name__ == "__main__":
    main()
