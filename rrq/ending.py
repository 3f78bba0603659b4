"""`leave`: ends a process in which plugins have started threads of their own."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn


def leave(status: int) -> NoReturn:
    """End this process with an exit status, as Python does it, but for taking itself apart.

    A thread of a library in native code that wants the interpreter while it is taken apart is
    ended where it stands, which C++ answers with an abort: the process would seem to have crashed
    after its work was done. What precedes that happens here as ever: threads that are no daemons
    are waited for, functions of `atexit` run, and what was printed is written.
    """
    private: tuple[tuple[Any, str], ...] = (
        (threading, "_shutdown"),  # as multiprocessing ends its processes
        (atexit, "_run_exitfuncs"),
    )
    for module, name in private:
        if function := getattr(module, name, None):
            function()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)
