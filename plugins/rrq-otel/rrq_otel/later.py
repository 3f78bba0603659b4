"""`Later`: leaves small work to the next turn of the event loop, and does it for many at once.

To make a span between the other steps of each job takes two to three times as long as to make the
spans of twenty jobs one after the other: the processor has each time forgotten the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from rrq.telemetry.complaints import OnceAKind

T = TypeVar("T")


class Later(Generic[T]):
    """Holds things until the next turn of the loop; where no loop runs, not at all.

    Args:
        steps: each is done for all that is held, before the next one. What one raises is told
            of once for each kind.
    """

    def __init__(self, *steps: Callable[[T], None]) -> None:
        self._steps = steps
        self._held: list[T] = []
        self._lock = Lock()
        self._failures = OnceAKind("otel")

    def put(self, one: T) -> None:
        """Hold this. Quick, and raises nothing."""
        self._held.append(one)
        if len(self._held) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.do)
            except RuntimeError:
                self.do()

    def do(self) -> None:
        """Do it now; any thread may."""
        with self._lock:
            # What another thread adds meanwhile comes behind, and has asked for its own turn.
            held = self._held[:]
            del self._held[: len(held)]
            for step in self._steps:
                for one in held:
                    try:
                        step(one)
                    except Exception as error:
                        self._failures.tell(step, error)
