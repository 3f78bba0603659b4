"""`Answer`: what an executor answered, and how a point of its check says that it is not right."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from rrq.protocol import ExecutionOutcome, Progress


class WrongPoint(Exception):
    """What was checked does not hold; the message says why."""


class UnansweredPoint(WrongPoint):
    """An answer did not come in time; it may still come."""


class AbsentPoint(Exception):
    """What was checked is optional and not there, or could not be tried."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome.

    Attributes:
        outcome: as a worker reads it.
        result: its result, numbers as they are written.
    """

    outcome: ExecutionOutcome
    result: Any


@dataclass(eq=False, slots=True)
class Expectation:
    """An outcome that is awaited, under any of some ids."""

    job_ids: tuple[str, ...]
    answer: asyncio.Future[Answer]
    progress: list[Progress] = field(default_factory=list)
