"""SIGTERM and SIGINT: the first asks the worker to stop, the second to stop at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def on_signals(stop: Callable[[], None], stop_now: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal and `stop_now` at each further one, inside the block."""
    loop = asyncio.get_running_loop()
    asked = False

    def heard() -> None:
        nonlocal asked
        if asked:
            stop_now()
        asked = True
        stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, heard)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
