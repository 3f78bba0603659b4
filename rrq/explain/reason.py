"""`Reason`: one thing that keeps a job from running, or that became of it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Code = Literal[
    "completed",
    "failed",
    "cancelled",
    "cancel_requested",
    "lease_expired",
    "worker_gone",
    "running",
    "malformed",
    "no_hash",
    "in_no_queue",
    "held_back",
    "clock",
    "retrying",
    "due_later",
    "paused",
    "no_worker",
    "queue_unserved",
    "worker_stuck",
    "executor_unknown",
    "executor_down",
    "executors_full",
    "jobs_ahead",
    "handler_unknown",
    "starting",
]
"""By weight: the first one that holds is the answer, the others are told beside it. What must
pass before anything else can help comes first, then what somebody must do something about, then
what passes by itself."""

CODES: tuple[Code, ...] = get_args(Code)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do.

    Attributes:
        text: in words.
        command: as words of a command line; what follows `rrq`.
    """

    text: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a sentence or two, and what to do about it."""

    code: Code
    text: str
    remedy: Remedy


def weight(reason: Reason) -> int:
    """Its place among all reasons; the smaller, the weightier."""
    return CODES.index(reason.code)
