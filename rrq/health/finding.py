"""`Finding`: what one check found, as a state and a line for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["ok", "unknown", "warning", "failed"]
"""From good to bad. `unknown`: it could not be asked, as on a server that forbids INFO."""

STATES: tuple[State, ...] = get_args(State)

MOST_NAMED = 3
"""How many names a message has before it only counts the rest."""

MOST_OBSERVED = 5
"""How many observations a finding tells before it only counts the rest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: the check's name, such as `memory`.
        message: one line that says what was found and, unless it is well, what to do.
    """

    check: str
    state: State
    message: str


def worst(states: Iterable[State]) -> State:
    """The worst of these states; `ok` if there is none."""
    return max(states, key=STATES.index, default="ok")


def summed_up(check: str, parts: Sequence[tuple[State, str]], well: str) -> Finding:
    """One finding of several observations, the worst of them first; `well` if there is none."""
    if not parts:
        return Finding(check, "ok", well)
    ordered = sorted(parts, key=lambda part: -STATES.index(part[0]))
    messages = [message for _, message in ordered[:MOST_OBSERVED]]
    if more := len(ordered) - len(messages):
        messages.append(f"And {more} more of the kind.")
    return Finding(check, ordered[0][0], " ".join(messages))


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
