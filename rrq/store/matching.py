"""What people who choose jobs mean by a function's name, and by a text in an error."""

from __future__ import annotations


def is_function(name: str | None, wanted: str) -> bool:
    """Whether a job's function is meant: by its whole name, or without the executor before `#`."""
    return wanted in (name or "", (name or "").partition("#")[2])


def has_text(error: str | None, wanted: str) -> bool:
    """Whether an error has this text, in upper or lower case."""
    return wanted.casefold() in (error or "").casefold()
