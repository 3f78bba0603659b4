"""`Seclusion`: a request that is to run alone, and the process that is kept for it.

Once more lost, its job is dead-lettered: no other request may be to blame for that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from rrq.protocol import ExecutionRequest
from rrq.time_text import rfc3339
from rrq_executor_stdio.process import ExecutorProcess


class Seclusion:
    """Begins when the request comes, and is over when nothing of it runs any more.

    Attributes:
        job_id: of the request.
        process: the one that is kept for it, once `keep` found one.
        is_waiting: whether it has not been sent yet: it waits for its turn, or for others to end.
    """

    def __init__(self, request: ExecutionRequest) -> None:
        self.job_id = request.job_id
        self.process: ExecutorProcess | None = None
        self.is_waiting = True
        self._request = request
        self._timeout_seconds = _seconds_until(request.context.deadline)
        self._began_at = 0.0

    def keep(self, processes: Iterable[ExecutorProcess]) -> ExecutorProcess | None:
        """Keep the process with the fewest requests, or go on with the one that is kept, unless
        another one is idle; `None` if none is up."""
        able = [one for one in processes if one.slots and self.job_id not in one.in_flight]
        best = min(able, key=lambda one: len(one.in_flight), default=None)
        if self.process not in able or (best is not None and not best.in_flight):
            self.let_go()
            self.process = best
            if best is not None:
                best.is_kept = True
        return self.process

    def let_go(self) -> None:
        """Let others have the process again."""
        if self.process is not None:
            self.process.is_kept = False
            self.process = None

    def begin(self, now: float) -> None:
        """The request is sent now: its time begins."""
        self.is_waiting = False
        self._began_at = now
        if self._request.context.deadline is not None:
            self._request.context.deadline = rfc3339(time.time() + self._timeout_seconds)

    @property
    def is_over(self) -> bool:
        """Whether the request has left its process."""
        return not self.is_waiting and (
            self.process is None or self.job_id not in self.process.in_flight
        )

    def extra_seconds(self, now: float) -> float:
        """How much more time the request has, since it had to wait; not positive if none."""
        if self.is_waiting:
            return max(1.0, self._timeout_seconds)
        return self._began_at + self._timeout_seconds - now


def _seconds_until(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() - time.time() if moment else 0.0
