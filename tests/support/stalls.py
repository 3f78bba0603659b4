"""`stalls`: how long the machine kept a process waiting that only wanted to wake up.

    with stalls() as stalled:
        ...
        assert seconds <= limit + stalled.seconds

A promise about time is about RRQ. On a machine that gives a process no turn for seconds nobody
could keep it, and so what the machine took is added to the limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_SECONDS = 0.01


class Stalled(threading.Thread):
    """Wakes a hundred times a second, and adds up how much too late.

    Attributes:
        seconds: the sum until now.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(PAUSE_SECONDS):
            now = time.monotonic()
            self.seconds += max(0.0, now - began - PAUSE_SECONDS)
            began = now

    def end(self) -> None:
        """Measure no more."""
        self._ended.set()
        self.join()


@contextmanager
def stalls() -> Iterator[Stalled]:
    """Measure until the block ends."""
    stalled = Stalled()
    stalled.start()
    try:
        yield stalled
    finally:
        stalled.end()
